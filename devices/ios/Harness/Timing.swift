import Foundation

/// Monotonic nanoseconds that stand still while the phone sleeps.
func now() -> Int64 {
    Int64(clock_gettime_nsec_np(CLOCK_UPTIME_RAW))
}

/// What is measured, one iteration at a time: `prepare` is never timed, `run` is what the number claims to be.
protocol Loop {
    func prepare() throws
    func run() throws
}

/// A fast moving average that has stayed near a slow one: the rule of devices/desktop/timing.py.
struct Convergence {
    static let fastShare = 0.1
    static let slowShare = 0.005
    static let tolerance = 0.04
    static let similarLeast = 40

    private var fast = 0.0
    private var slow = 0.0
    private var similar = 0
    private(set) var iterations = 0

    var reached: Bool { similar > Convergence.similarLeast }

    mutating func add(_ ns: Int64) {
        let value = Double(ns)
        if iterations == 0 {
            fast = value
            slow = value
        }
        iterations += 1
        fast += Convergence.fastShare * (value - fast)
        slow += Convergence.slowShare * (value - slow)
        similar = abs(fast - slow) < Convergence.tolerance * slow ? similar + 1 : 0
    }
}

struct WarmUp {
    let iterations: Int
    let seconds: Double
    let converged: Bool
}

/// One iteration's nanoseconds. What Core ML released is freed after the clock has stopped.
func timed(_ loop: Loop) throws -> Int64 {
    try autoreleasepool { () -> Int64 in
        try loop.prepare()
        let before = now()
        try loop.run()
        return now() - before
    }
}

/// Until converged and at least `warm_up_least` times, but never beyond `warm_up_seconds`.
func warmUp(_ loop: Loop, _ counts: Job.Counts, check: () throws -> Void) throws -> WarmUp {
    var state = Convergence()
    let start = now()
    while true {
        try check()
        try state.add(timed(loop))
        let seconds = Double(now() - start) / 1e9
        if state.reached && state.iterations >= counts.warm_up_least {
            return WarmUp(iterations: state.iterations, seconds: seconds, converged: true)
        }
        if seconds >= counts.warm_up_seconds {
            return WarmUp(iterations: state.iterations, seconds: seconds, converged: false)
        }
    }
}

/// Raw nanoseconds, until there are `samples` of them and `seconds` have passed.
func sample(_ loop: Loop, _ counts: Job.Counts, check: () throws -> Void) throws -> [Int64] {
    var taken: [Int64] = []
    taken.reserveCapacity(max(counts.samples, 65536))
    let end = now() + Int64(counts.seconds * 1e9)
    while taken.count < counts.samples || now() < end {
        try check()
        try taken.append(timed(loop))
    }
    return taken
}
