import json

import pytest

from punktfunk.control.doctor.finding import Answer, Status
from punktfunk.control.doctor.firewall import examine_firewall, needed_ports

BASE = 47989
TCP, UDP = [47984, 47989, 48010], [5353, 47998, 47999, 48000]


def commands(table):
    """A machine on which exactly these programs answer; everything asked is noted."""

    def run(words):
        return table(words) if callable(table) else table.get(words[0])

    return run


def nothing(_words):
    return None


def test_the_ports_are_those_of_the_protocol():
    assert needed_ports(BASE) == {"tcp": TCP, "udp": UDP}
    assert needed_ports(None, 9777) == {"tcp": [], "udp": [5353, 9777]}


def test_no_firewall_is_fine(tmp_path):
    assert examine_firewall(BASE, nothing, tmp_path).status is Status.OK


def firewalld(open_ports):
    def run(words):
        if words[0] != "firewall-cmd":
            return None
        if words[1] == "--state":
            return Answer(0, "running\n")
        return Answer(int(words[1].removeprefix("--query-port=") not in open_ports), "")

    return run


def test_firewalld_gives_the_command_for_what_is_closed(tmp_path):
    finding = examine_firewall(BASE, firewalld({"47984/tcp", "47989/tcp", "48010/tcp", "5353/udp"}), tmp_path)
    assert finding.status is Status.DEGRADED
    assert finding.remedy.splitlines() == [
        "sudo firewall-cmd --permanent --add-port=47998/udp --add-port=47999/udp --add-port=48000/udp",
        "sudo firewall-cmd --reload",
    ]


def test_firewalld_with_open_ports_is_fine(tmp_path):
    pairs = {f"{port}/tcp" for port in TCP} | {f"{port}/udp" for port in UDP}
    assert examine_firewall(BASE, firewalld(pairs), tmp_path).status is Status.OK


@pytest.fixture
def ufw(tmp_path):
    (tmp_path / "etc/ufw").mkdir(parents=True)
    (tmp_path / "etc/ufw/ufw.conf").write_text("LOGLEVEL=low\nENABLED=yes\n")
    return tmp_path


def test_ufw_without_root_gives_all_commands(ufw):
    finding = examine_firewall(BASE, commands({"ufw": Answer(1, "", "ERROR: You need to be root")}), ufw)
    assert finding.status is Status.DEGRADED
    assert finding.remedy.splitlines() == [
        "sudo ufw allow proto tcp to any port 47984,47989,48010",
        "sudo ufw allow proto udp to any port 5353,47998,47999,48000",
    ]


def test_ufw_rules_are_understood(ufw):
    status = "Status: active\n\nTo   Action  From\n--  ------  ----\n"
    rules = "47984,47989,48010/tcp  ALLOW  Anywhere\n47998:48000/udp  ALLOW  Anywhere\n5353  ALLOW  192.168.0.0/16\n"
    assert examine_firewall(BASE, commands({"ufw": Answer(0, status + rules)}), ufw).status is Status.OK
    closed = examine_firewall(
        BASE, commands({"ufw": Answer(0, status + rules.replace("48010", "48011"))}), ufw
    )
    assert closed.found == "ufw: closed: 48010/tcp"


def test_an_inactive_ufw_is_no_firewall(ufw):
    assert examine_firewall(BASE, commands({"ufw": Answer(0, "Status: inactive\n")}), ufw).status is Status.OK


def dport(protocol, right, verdict="accept"):
    match = {"op": "==", "left": {"payload": {"protocol": protocol, "field": "dport"}}, "right": right}
    return {
        "rule": {
            "family": "inet",
            "table": "filter",
            "chain": "input",
            "expr": [{"match": match}, {verdict: None}],
        }
    }


def nft(*rules, policy="drop"):
    chain = {
        "family": "inet",
        "table": "filter",
        "name": "input",
        "type": "filter",
        "hook": "input",
        "policy": policy,
    }
    return commands(
        {"nft": Answer(0, json.dumps({"nftables": [{"metainfo": {}}, {"chain": chain}, *rules]}))}
    )


def test_nftables_gives_the_command_for_its_own_chain(tmp_path):
    finding = examine_firewall(BASE, nft(dport("tcp", {"set": TCP}), dport("udp", 5353, "drop")), tmp_path)
    assert (
        finding.found == "nftables: chain inet filter input drops 5353/udp, 47998/udp, 47999/udp, 48000/udp"
    )
    assert finding.remedy.splitlines() == [
        "sudo nft insert rule inet filter input tcp dport '{ 47984, 47989, 48010 }' accept",
        "sudo nft insert rule inet filter input udp dport '{ 5353, 47998, 47999, 48000 }' accept",
    ]


def test_nftables_sets_and_ranges_are_understood(tmp_path):
    run = nft(
        dport("tcp", {"set": [{"range": [47000, 49000]}]}),
        dport("th", {"set": [5353, {"range": [47998, 48000]}]}),
    )
    assert examine_firewall(BASE, run, tmp_path).status is Status.OK


def test_a_chain_that_lets_everything_in_is_no_obstacle(tmp_path):
    assert examine_firewall(BASE, nft(policy="accept"), tmp_path).status is Status.OK


def test_a_last_rule_that_rejects_is_as_good_as_a_policy(tmp_path):
    last = {
        "rule": {
            "family": "inet",
            "table": "filter",
            "chain": "input",
            "expr": [{"counter": {}}, {"reject": {}}],
        }
    }
    assert examine_firewall(BASE, nft(last, policy="accept"), tmp_path).status is Status.DEGRADED


def test_iptables_policy_is_seen(tmp_path):
    rules = "-P INPUT DROP\n-A INPUT -p tcp -m multiport --dports 47984,47989,48010 -j ACCEPT\n"
    finding = examine_firewall(BASE, commands({"iptables": Answer(0, rules)}), tmp_path)
    assert finding.found == "iptables: INPUT drops 5353/udp, 47998/udp, 47999/udp, 48000/udp"
    more = (
        rules
        + "-A INPUT -p udp -m udp --dport 5353 -j ACCEPT\n-A INPUT -p udp --dport 47998:48000 -j ACCEPT\n"
    )
    assert examine_firewall(BASE, commands({"iptables": Answer(0, more)}), tmp_path).status is Status.OK


@pytest.mark.parametrize("text", ["", "null", "[]", '{"nftables": 3}', "not json"])
def test_an_answer_that_makes_no_sense_is_no_answer(tmp_path, text):
    assert examine_firewall(BASE, commands({"nft": Answer(0, text)}), tmp_path).status is Status.OK
