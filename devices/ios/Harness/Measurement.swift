import CoreML
import Foundation

/// What one job gave, masks and labels aside: they are in files of their own.
struct Score {
    let modelNs: [Int64]
    let pipelineNs: [Int64]
    let compileNs: Int64
    let loadNs: Int64
    let firstNs: Int64
    let warmUp: WarmUp
    let placement: [String: Any]
}

struct Interrupted: Error {}

/// One job, from its folder to its score. `say` is called between its parts, `check` throws to end it early.
struct Measurement {
    let folder: URL
    let masks: URL
    let labels: URL
    let say: (String) -> Void
    let check: () throws -> Void

    func run() throws -> Score {
        let job = try Job.read(folder)
        guard job.format == "coreml" else {
            throw Fault(reason: "the harness runs coreml, not \(job.format)")
        }
        let frames = try Data(contentsOf: folder.appendingPathComponent(job.frames), options: .alwaysMapped)
        let count = job.sequences.reduce(0, +)
        guard count > 0, frames.count == count * job.pixels * 3 else {
            throw Fault(reason: "\(job.frames) does not hold \(count) frames of \(job.width)x\(job.height)")
        }

        say("loading")
        let network = try Network(job, in: folder)
        defer { network.close() }
        let firstNs = try timed(ModelLoop(network, job, frames))

        say("scoring")
        try score(network, job, frames)
        let placement = Placement.read(network)

        say("timing")
        let loop = try ModelLoop(network, job, frames)
        let warm = try warmUp(loop, job.counts, check: check)
        // A simulator's times are the Mac's.
        let modelNs = try Phone.simulator ? [] : sample(loop, job.counts, check: check)
        let pipelineNs = try Phone.simulator ? [] : pipeline(network, job, frames)
        return Score(
            modelNs: modelNs, pipelineNs: pipelineNs, compileNs: network.compileNs, loadNs: network.loadNs,
            firstNs: firstNs, warmUp: warm, placement: placement)
    }

    private func pipeline(_ network: Network, _ job: Job, _ frames: Data) throws -> [Int64] {
        let loop = try PipelineLoop(network, job, frames)
        for _ in 0..<5 {
            _ = try timed(loop)
        }
        return try sample(loop, job.counts, check: check)
    }

    /// Every frame once, in order; the previous mask is empty where a sequence begins and the network's own after that.
    /// The network has run before, so that it is known whether it gives labels.
    private func score(_ network: Network, _ job: Job, _ frames: Data) throws {
        let file = try create(masks)
        defer { try? file.close() }
        let labelsFile = try network.givesLabels ? create(labels) : nil
        defer { try? labelsFile?.close() }
        let frame = try network.newFrame()
        var place = 0
        for length in job.sequences {
            network.forget()
            for _ in 0..<length {
                try check()
                try autoreleasepool {
                    frames.withUnsafeBytes { bytes in
                        let picture = bytes.bindMemory(to: UInt8.self).baseAddress! + place * job.pixels * 3
                        planes(picture, pixels: job.pixels, frame.dataPointer.assumingMemoryBound(to: Float.self))
                    }
                    let made = try network.step(frame)
                    try file.write(contentsOf: Data(bytes: network.mask.dataPointer, count: job.pixels * 4))
                    try labelsFile?.write(contentsOf: network.shares(made))
                }
                place += 1
            }
        }
    }

    private func create(_ file: URL) throws -> FileHandle {
        FileManager.default.createFile(atPath: file.path, contents: nil)
        return try FileHandle(forWritingTo: file)
    }
}
