"""Which decoder over GF(2^16) is fastest where, and the costs that make the host choose so on this machine.

python -m benchmarks.fit_decoder prints a row for each loss: ns of direct, cauchy, full and transposed, and
the model's choice; then the values for ``realtime.decoder16.Costs``.
"""

from punktfunk.realtime.fit_decoder import fit


def main() -> None:
    found = fit()
    for case in dict.fromkeys(timing.case for timing in found.timings):
        mine = [timing for timing in found.timings if timing.case == case]
        times = "  ".join(f"{timing.decoder}: {timing.measured_ns:12,.0f}" for timing in mine)
        taken = min(mine, key=lambda timing: timing.model_ns).decoder
        shape = f"{case.data_count}:{case.parity_count} x {case.shard_bytes}, {case.missing_count} lost"
        print(f"{shape:28}  {times}  takes {taken}")
    print(f"{found.costs}\nworst choice: {found.regret():.2f} times the best")


if __name__ == "__main__":
    main()
