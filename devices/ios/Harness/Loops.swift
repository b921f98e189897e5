import CoreML
import Foundation

let ringLength = 16
let camera = (height: 720, width: 1280)

/// The network alone: a frame that is already laid out in, the mask out.
final class ModelLoop: Loop {
    private let network: Network
    private let ring: [MLMultiArray]
    private var next = 0
    private var frame: MLMultiArray

    init(_ network: Network, _ job: Job, _ frames: Data) throws {
        self.network = network
        ring = try (0..<min(ringLength, frames.count / (job.pixels * 3))).map { i -> MLMultiArray in
            let frame = try network.newFrame()
            frames.withUnsafeBytes { bytes in
                let picture = bytes.bindMemory(to: UInt8.self).baseAddress! + i * job.pixels * 3
                planes(picture, pixels: job.pixels, frame.dataPointer.assumingMemoryBound(to: Float.self))
            }
            return frame
        }
        frame = ring[0]
        network.forget()
    }

    func prepare() {
        frame = ring[next]
        next = (next + 1) % ring.count
    }

    func run() throws {
        try network.step(frame)
    }
}

/// A 1280x720 RGB picture in, its 8-bit mask of the same size out: resize, scaling, layout, model, mask, enlargement.
final class PipelineLoop: Loop {
    private let network: Network
    private let pixels: Int
    private let pictures: [[UInt8]]
    private var next = 0
    private var picture: Int = 0
    private let frame: MLMultiArray
    private let shrink: Resize
    private let enlarge: Resize
    private var small: [UInt8]
    private var alpha: [UInt8]
    private var full: [UInt8]

    init(_ network: Network, _ job: Job, _ frames: Data) throws {
        self.network = network
        pixels = job.pixels
        frame = try network.newFrame()
        let native = (height: job.height, width: job.width)
        shrink = Resize(from: camera, to: native, channels: 3)
        enlarge = Resize(from: native, to: camera, channels: 1)
        small = [UInt8](repeating: 0, count: job.pixels * 3)
        alpha = [UInt8](repeating: 0, count: job.pixels)
        full = [UInt8](repeating: 0, count: camera.height * camera.width)
        let grow = Resize(from: native, to: camera, channels: 3)
        pictures = (0..<min(ringLength, frames.count / (job.pixels * 3))).map { i -> [UInt8] in
            var picture = [UInt8](repeating: 0, count: camera.height * camera.width * 3)
            frames.withUnsafeBytes { bytes in
                grow(bytes.bindMemory(to: UInt8.self).baseAddress! + i * job.pixels * 3, &picture)
            }
            return picture
        }
        network.forget()
    }

    func prepare() {
        picture = next
        next = (next + 1) % pictures.count
    }

    func run() throws {
        shrink(pictures[picture], &small)
        planes(small, pixels: pixels, frame.dataPointer.assumingMemoryBound(to: Float.self))
        try network.step(frame)
        let mask = network.mask.dataPointer.assumingMemoryBound(to: Float.self)
        for i in 0..<pixels {
            alpha[i] = UInt8(min(max(mask[i] * 255 + 0.5, 0), 255))
        }
        enlarge(alpha, &full)
    }
}
