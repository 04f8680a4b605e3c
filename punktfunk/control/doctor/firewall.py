"""Is a firewall between the clients and us? Looked for: firewalld, ufw, nftables, iptables.

Each finding carries the exact commands that open the host's ports. Reading rules takes root for all but
firewalld; without it the finding says so and gives the commands all the same.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from punktfunk.control.doctor.finding import Finding, Run, Status, read_text
from punktfunk.control.holders import MDNS_PORT, wanted_ports

CHECK = "firewall"
CONSEQUENCE = "Clients in the network cannot find this host, or connect and see no picture."


def needed_ports(base: int | None, native_port: int | None = None) -> dict[str, list[int]]:
    """Ports that clients must reach, by protocol.

    The video of punktfunk/1 leaves from a port of its own for each session; a firewall that knows connections
    lets the client's packets to it in, as ours went out first.
    """
    ports: dict[str, list[int]] = {"tcp": [], "udp": [MDNS_PORT]}
    for protocol, port in wanted_ports(base, native_port):
        ports[protocol].append(port)
    return {protocol: sorted(numbers) for protocol, numbers in ports.items()}


def examine_firewall(
    base: int | None, run: Run, root: Path = Path("/"), *, native_port: int | None = None
) -> Finding:
    """Look for the first active firewall and whether it lets our ports in."""
    ports = needed_ports(base, native_port)
    for look in (_firewalld, _ufw, _nftables, _iptables):
        finding = look(ports, run, root)
        if finding is not None:
            return finding
    return Finding(CHECK, Status.OK, "no active firewall found")


def _blocked(name: str, what: str, commands: list[str]) -> Finding:
    return Finding(CHECK, Status.DEGRADED, f"{name}: {what}", CONSEQUENCE, "\n".join(commands))


def _open(name: str) -> Finding:
    return Finding(CHECK, Status.OK, f"{name} lets the host's ports in")


def _pairs(ports: dict[str, list[int]]) -> list[str]:
    return [f"{port}/{protocol}" for protocol, numbers in ports.items() for port in numbers]


def _firewalld(ports: dict[str, list[int]], run: Run, _root: Path) -> Finding | None:
    state = run(["firewall-cmd", "--state"])
    if state is None or state.exit_code != 0:
        return None
    closed = []
    for pair in _pairs(ports):
        answer = run(["firewall-cmd", f"--query-port={pair}"])
        if answer is None or answer.exit_code != 0:
            closed.append(pair)
    if not closed:
        return _open("firewalld")
    flags = " ".join(f"--add-port={pair}" for pair in closed)
    return _blocked(
        "firewalld",
        f"closed: {', '.join(closed)}",
        [f"sudo firewall-cmd --permanent {flags}", "sudo firewall-cmd --reload"],
    )


def _ufw(ports: dict[str, list[int]], run: Run, root: Path) -> Finding | None:
    settings = read_text(root / "etc/ufw/ufw.conf") or ""
    if "ENABLED=yes" not in settings.replace(" ", ""):
        return None
    commands = [
        f"sudo ufw allow proto {protocol} to any port {','.join(map(str, numbers))}"
        for protocol, numbers in ports.items()
    ]
    status = run(["ufw", "status"])
    if status is None or status.exit_code != 0:
        return _blocked("ufw", "is on; its rules are shown to root only", commands)
    if "Status: active" not in status.output:
        return None
    open_ports = {
        pair for line in status.output.splitlines() if "ALLOW" in line for pair in _ufw_ports(line.split()[0])
    }
    closed = [pair for pair in _pairs(ports) if pair not in open_ports]
    return _blocked("ufw", f"closed: {', '.join(closed)}", commands) if closed else _open("ufw")


def _ufw_ports(rule: str) -> Iterator[str]:
    """``47984,47989/tcp`` and ``47998:48000/udp`` one by one; a rule without protocol counts for both."""
    numbers, _, protocol = rule.partition("/")
    for part in numbers.split(","):
        low, _, high = part.partition(":")
        if not low.isdigit() or not (high or low).isdigit():
            continue
        for port in range(int(low), int(high or low) + 1):
            yield from (f"{port}/{each}" for each in ([protocol] if protocol else ["tcp", "udp"]))


def _nftables(ports: dict[str, list[int]], run: Run, _root: Path) -> Finding | None:
    answer = run(["nft", "-j", "list", "ruleset"])
    if answer is None or answer.exit_code != 0:
        return None
    try:
        entries = list(json.loads(answer.output)["nftables"])
    except (ValueError, KeyError, TypeError):
        return None
    for chain in (entry["chain"] for entry in entries if "chain" in entry):
        if chain.get("hook") != "input" or chain.get("type") != "filter":
            continue
        rules = [entry["rule"] for entry in entries if _rule_of(entry, chain)]
        if chain.get("policy") != "drop" and not any(_refuses_all(rule) for rule in rules):
            continue
        closed = [
            pair for pair in _pairs(ports) if not any(_lets_in(rule, *pair.split("/")) for rule in rules)
        ]
        if not closed:
            return _open("nftables")
        place = f"{chain['family']} {chain['table']} {chain['name']}"
        return _blocked(
            "nftables",
            f"chain {place} drops {', '.join(closed)}",
            [
                f"sudo nft insert rule {place} {protocol} dport '{{ {', '.join(map(str, numbers))} }}' accept"
                for protocol, numbers in ports.items()
            ],
        )
    return None


def _rule_of(entry: dict[str, Any], chain: dict[str, Any]) -> bool:
    rule = entry.get("rule", {})
    return (rule.get("family"), rule.get("table"), rule.get("chain")) == (
        chain["family"],
        chain["table"],
        chain["name"],
    )


def _refuses_all(rule: dict[str, Any]) -> bool:
    """Tell whether a rule drops or rejects whatever reaches it."""
    words = [next(iter(word)) for word in rule.get("expr", [])]
    return not {"match", "jump", "xt"} & set(words) and bool({"drop", "reject"} & set(words))


def _lets_in(rule: dict[str, Any], port: str, protocol: str) -> bool:
    """Tell whether a rule accepts packets to this port, whatever else it asks for."""
    expressions = rule.get("expr", [])
    if not any("accept" in word for word in expressions):
        return False
    for word in expressions:
        match word:
            case {"match": {"left": {"payload": {"field": "dport", "protocol": found}}, "right": right}}:
                if found in (protocol, "th") and _contains(right, int(port)):
                    return True
    return False


def _contains(right: object, port: int) -> bool:
    match right:
        case int():
            return right == port
        case {"range": [int(low), int(high)]}:
            return low <= port <= high
        case {"set": list(items)}:
            return any(_contains(item, port) for item in items)
    return False


def _iptables(ports: dict[str, list[int]], run: Run, _root: Path) -> Finding | None:
    """Old rules that nft does not show: only a dropping policy is looked for."""
    answer = run(["iptables", "-S", "INPUT"])
    if answer is None or answer.exit_code != 0 or "-P INPUT DROP" not in answer.output:
        return None
    closed = [pair for pair in _pairs(ports) if not _iptables_accepts(answer.output, *pair.split("/"))]
    if not closed:
        return _open("iptables")
    commands = [
        f"sudo iptables -I INPUT -p {protocol} -m multiport --dports {','.join(map(str, numbers))} -j ACCEPT"
        for protocol, numbers in ports.items()
    ]
    return _blocked("iptables", f"INPUT drops {', '.join(closed)}", commands)


def _iptables_accepts(rules: str, port: str, protocol: str) -> bool:
    for line in rules.splitlines():
        words = line.split()
        if "ACCEPT" not in words or protocol not in words:
            continue
        for flag in ("--dport", "--dports"):
            if flag in words and f"{port}/{protocol}" in _ufw_ports(
                f"{words[words.index(flag) + 1]}/{protocol}"
            ):
                return True
    return False
