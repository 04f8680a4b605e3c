"""Stage times: what is known is counted, what is not is left out."""

from client_pictures import MS, picture

from punktfunk.realtime.present.stages import ROWS, STAGES, StageRecorder


def shown(index, taken_ns=1 * MS, present_ns=4 * MS):
    made = picture(index)
    made.taken_ns = made.decoded_ns + taken_ns
    made.presented_ns = made.taken_ns + present_ns
    return made


def test_every_stage_is_the_time_between_two_stamps():
    recorder = StageRecorder()
    for index in range(10):
        made = shown(index)
        recorder.record(made, made.unit.pts_ns, 500_000)
    times = {stage: times.p50_ns for stage, times in recorder.percentiles().items()}
    assert times == {
        "host": 500_000,
        "network": 1_500_000,
        "reassembly": 1 * MS,
        "queue": 1 * MS,
        "decode": 2 * MS,
        "hold": 1 * MS,
        "present": 4 * MS,
        "total": 10 * MS,
    }
    assert recorder.median_total_ns() == 10 * MS


def test_unknown_stages_are_left_out():
    recorder = StageRecorder()
    recorder.record(shown(0), None, None)
    known = {stage: times.known_count for stage, times in recorder.percentiles().items()}
    assert known == {stage: int(stage not in {"host", "network", "total"}) for stage in STAGES}
    assert recorder.median_total_ns() is None


def test_percentiles_follow_the_last_pictures_only():
    recorder = StageRecorder()
    for index in range(ROWS):
        recorder.record(shown(index, present_ns=90 * MS), None, None)
    for index in range(ROWS):
        recorder.record(shown(index, present_ns=(1 + (index == 0) * 40) * MS), None, None)
    present = recorder.percentiles()["present"]
    assert (present.p50_ns, present.maximum_ns, present.known_count) == (1 * MS, 41 * MS, ROWS)
    assert present.p99_ns < 2 * MS


def test_cadence_is_pictures_per_second_and_the_longest_steps():
    recorder = StageRecorder()
    assert recorder.cadence() == (0.0, 0)
    for index in range(61):
        recorder.record(shown(index), None, None)
    frames_per_s, step_ns = recorder.cadence()
    assert round(frames_per_s) == 60
    assert abs(step_ns - 16_666_667) < 2
