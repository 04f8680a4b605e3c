"""A LatestFrame on a virtual clock: waiting moves it on."""

MS = 1_000_000


class Slot:
    dropped_count = 0

    def __init__(self):
        self.now_ns = 10**9
        self.waiting = []
        self.back = []

    def clock_ns(self):
        return self.now_ns

    def put(self, picture):
        picture.captured_ns = self.now_ns
        self.waiting.append(picture)

    def take(self, timeout_ns):
        if self.waiting:
            return self.waiting.pop()
        self.now_ns += timeout_ns
        return None

    def give_back(self, picture):
        self.back.append(picture)
