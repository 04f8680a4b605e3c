"""Fail if a kernel lacks its signature, its documented arguments, or its judge: a slow twin or a model test.

Reads the sources only, so it runs in milliseconds and needs no compiler. Kernels that compute have a twin of
the same name and arguments in ``realtime/reference``; those that move bytes have the test named here.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REALTIME = ROOT / "punktfunk" / "realtime"
TESTS = ROOT / "tests" / "realtime"

# no kernels in there
SUPPORT = {
    "__init__",
    "atomics",
    "butterfly",
    "cache",
    "calls",
    "cipher_words",
    "gcm",
    "gcm_rows",
    "jit",
    "layout",
    "layout16",
    "layout8",
    "layout_receive",
    "rows",
    "seal_choice",
    "simd",
    "strips8",
    "system",
    "views",
    "weigh",
}
MODEL_TESTS = {
    "encode16": TESTS / "kernels" / "test_encode16.py",
    "gf16": TESTS / "kernels" / "test_gf16.py",
    "leopard": TESTS / "kernels" / "test_leopard.py",
    "carrying": TESTS / "receive" / "test_native_carrying.py",
    "choose16": TESTS / "kernels" / "test_decode16.py",
    "erasures16": TESTS / "kernels" / "test_decode16.py",
    "evp": TESTS / "kernels" / "test_gcm.py",
    "frame": TESTS / "send" / "test_sender.py",
    "full16": TESTS / "kernels" / "test_decode16.py",
    "futex": TESTS / "kernels" / "test_futex.py",
    "gcm_aesni": TESTS / "kernels" / "test_gcm.py",
    "gcm_key": TESTS / "kernels" / "test_gcm.py",
    "gcm_vaes": TESTS / "kernels" / "test_gcm.py",
    "group": TESTS / "send" / "test_native_sender.py",
    "mailbox": TESTS / "kernels" / "test_mailbox.py",
    "native_frame": TESTS / "send" / "test_native_sender.py",
    "pace": TESTS / "kernels" / "test_pace.py",
    "repeat": TESTS / "kernels" / "test_repeat.py",
    "ring": TESTS / "kernels" / "test_ring.py",
    "receive": TESTS / "kernels" / "test_receive.py",
    "shards": TESTS / "kernels" / "test_encode16.py",
    "slots": TESTS / "kernels" / "test_slots.py",
    "trials": TESTS / "test_timing.py",
    "rows16": TESTS / "kernels" / "test_decode16.py",
    "syndromes16": TESTS / "kernels" / "test_decode16.py",
    "send_loop": TESTS / "send" / "test_sender.py",
    "believe": TESTS / "receive" / "test_native_model.py",
    "finish": TESTS / "receive" / "test_native_model.py",
    "native_receive": TESTS / "receive" / "test_native_receiver.py",
    "reassemble": TESTS / "receive" / "test_native_model.py",
    "slabs": TESTS / "receive" / "test_native_model.py",
    "windows": TESTS / "receive" / "test_native_model.py",
    "udp": TESTS / "kernels" / "test_udp.py",
}
# Reached only through these; their datagrams are what the test reads back.
THROUGH = {
    "advance": "Reassembler",
    "block_of": "Reassembler",
    "drop_frame": "Reassembler",
    "end_frame": "Reassembler",
    "extend_run": "Reassembler",
    "finish_block": "Reassembler",
    "finish_frame": "Reassembler",
    "forget_frames": "Reassembler",
    "free_parity": "Reassembler",
    "free_run": "Reassembler",
    "is_over": "Reassembler",
    "read_packet": "Reassembler",
    "slabs_for": "Reassembler",
    "slot_of": "Reassembler",
    "take_packet": "Reassembler",
    "take_run": "Reassembler",
    "accept_sequence": "ReplayWindow",
    "forget": "flush",
    "receive_loop": "VideoReceiver",
    "receive_once": "VideoReceiver",
    "take_datagrams": "Reassembly",
    "take_group": "Reassembly",
    "encode_rows": "encode",
    "encode_strip": "encode",
    "decode_rows": "Code16",
    "check_units": "UnitTaker",
    "generate_matrix": "encode",
    "inverse_read_sum": "inverse_shards",
    "add_rows": "FULL",
    "count_layers": "estimate",
    "count_wanted": "CAUCHY",
    "differentiate": "FULL",
    "element_of": "TRANSPOSED",
    "fill_matrix": "CAUCHY",
    "forward_rows": "TRANSPOSED",
    "inverse_rows": "TRANSPOSED",
    "list_data": "CAUCHY",
    "list_losses": "DIRECT",
    "list_positions": "DIRECT",
    "list_shards": "DIRECT",
    "read_row": "CAUCHY",
    "scale_positions": "DIRECT",
    "solve_full": "FULL",
    "solve_transposed": "TRANSPOSED",
    "syndrome_rows": "CAUCHY",
    "transform_data": "CAUCHY",
    "write_row": "FULL",
    "begin_frame": "what_a_variant_is_called_with",
    "note_frame": "latencies",
    "send_frame": "streaming",
    "send_group": "textbook",
    "send_loop": "streaming",
    "send_native_frame": "native",
    "send_next": "streaming",
}

Functions = dict[str, ast.FunctionDef]


def functions(path: Path) -> Functions:
    """Top-level functions of a file by name."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def arguments(function: ast.FunctionDef) -> list[str]:
    """Argument names; a leading underscore only says that a twin does not use one."""
    return [argument.arg.lstrip("_") for argument in function.args.args]


def is_kernel(function: ast.FunctionDef) -> bool:
    """Whether it wears ``@kernel(signature)`` or ``@entry(signature)``."""
    return any(ast.unparse(word).startswith(("kernel(", "entry(")) for word in function.decorator_list)


def complaints(module: str, kernel: ast.FunctionDef, twins: Functions) -> list[str]:
    """Say what one public kernel lacks."""
    name = f"{module}.{kernel.name}"
    documented = ast.get_docstring(kernel) or ""
    found = [
        f"{name}: the docstring does not mention {argument.arg}"
        for argument in kernel.args.args
        if not re.search(rf"\b{argument.arg}\b", documented)
    ]
    if module in MODEL_TESTS:
        test = MODEL_TESTS[module]
        wanted = THROUGH.get(kernel.name, kernel.name)
        if not test.exists() or wanted not in test.read_text("utf-8"):
            found.append(f"{name}: no model test in {test.relative_to(ROOT)}")
    elif kernel.name not in twins:
        found.append(f"{name}: no twin in realtime/reference")
    elif arguments(twins[kernel.name]) != arguments(kernel):
        found.append(f"{name}: arguments differ from its twin's")
    return found


def check(kernels: Path, reference: Path) -> list[str]:
    """Everything that is wrong with the kernels of one folder."""
    found: list[str] = []
    for path in sorted(kernels.glob("*.py")):
        if path.stem in SUPPORT:
            continue
        twin = reference / path.name
        twins = functions(twin) if twin.exists() else {}
        for function in functions(path).values():
            wears = [ast.unparse(decorator) for decorator in function.decorator_list]
            if is_kernel(function) and not function.name.startswith("_"):
                found += complaints(path.stem, function, twins)
            elif not is_kernel(function) and not function.name.startswith("_") and "intrinsic" not in wears:
                found.append(
                    f"{path.stem}.{function.name}: wear @kernel(signature), not {wears or 'nothing'}"
                )
    return found


def main() -> int:
    """Print what is wrong; exit status."""
    found = check(REALTIME / "kernels", REALTIME / "reference")
    for line in found:
        print(line)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
