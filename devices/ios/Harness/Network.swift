import CoreML
import Foundation

/// The model in Core ML: `frame` and, where it has one, `prev_mask` in, `mask` out, all float32 NCHW. The mask of a
/// network with labels has their nine probabilities, the background first; the person is whatever is not background.
final class Network: NSObject, MLFeatureProvider {
    static let labels = 9

    /// The person's last mask, which is also the next previous one.
    let mask: MLMultiArray
    let computeUnits: String
    let compileNs: Int64
    let loadNs: Int64
    let compiled: URL
    let configuration = MLModelConfiguration()
    /// Whether the last frame's output was labels.
    private(set) var givesLabels = false

    private let model: MLModel
    private let job: Job
    private let maskValue: MLFeatureValue
    private var frameValue: MLFeatureValue

    let featureNames: Set<String>

    init(_ job: Job, in folder: URL) throws {
        self.job = job
        let given = folder.appendingPathComponent(job.model)
        let compileStart = now()
        // Packages compile on the phone from iOS 15 on.
        compiled = try given.pathExtension == "mlmodelc" ? given : MLModel.compileModel(at: given)
        compileNs = now() - compileStart

        let (units, name) = try Network.units(job.unit)
        configuration.computeUnits = units
        computeUnits = name
        let loadStart = now()
        model = try MLModel(contentsOf: compiled, configuration: configuration)
        loadNs = now() - loadStart

        mask = try MLMultiArray(shape: [1, 1, job.height as NSNumber, job.width as NSNumber], dataType: .float32)
        maskValue = MLFeatureValue(multiArray: mask)
        frameValue = maskValue
        featureNames = Set(model.modelDescription.inputDescriptionsByName.keys)
        super.init()
        guard featureNames.isSubset(of: ["frame", "prev_mask"]), featureNames.contains("frame") else {
            throw Fault(reason: "the model takes \(featureNames.sorted().joined(separator: ", ")), not frame and prev_mask")
        }
    }

    /// Before iOS 16 the Neural Engine can only be asked for along with everything else.
    static func units(_ unit: String) throws -> (MLComputeUnits, String) {
        switch unit {
        case "cpu": return (.cpuOnly, "cpuOnly")
        case "gpu": return (.cpuAndGPU, "cpuAndGPU")
        case "npu":
            if #available(iOS 16.0, *) {
                return (.cpuAndNeuralEngine, "cpuAndNeuralEngine")
            }
            return (.all, "all")
        default: throw Fault(reason: "Core ML has no unit called \(unit)")
        }
    }

    func featureValue(for name: String) -> MLFeatureValue? {
        name == "frame" ? frameValue : maskValue
    }

    func newFrame() throws -> MLMultiArray {
        try MLMultiArray(shape: [1, 3, job.height as NSNumber, job.width as NSNumber], dataType: .float32)
    }

    func forget() {
        memset(mask.dataPointer, 0, job.pixels * MemoryLayout<Float>.size)
    }

    /// One frame: tensors in, tensors out, the person's mask copied to where the next frame finds it. Returns the output.
    @discardableResult
    func step(_ frame: MLMultiArray) throws -> MLMultiArray {
        frameValue = MLFeatureValue(multiArray: frame)
        let output = try model.prediction(from: self)
        guard let made = output.featureValue(for: "mask")?.multiArrayValue, made.dataType == .float32 else {
            throw Fault(reason: "the model gives no float32 output called mask")
        }
        givesLabels = made.count == job.pixels * Network.labels
        guard made.count == job.pixels || givesLabels else {
            throw Fault(reason: "the model's mask has \(made.count) values where the job's has \(job.pixels)")
        }
        let source = made.dataPointer.assumingMemoryBound(to: Float.self)
        let target = mask.dataPointer.assumingMemoryBound(to: Float.self)
        let strides = made.strides.map { $0.intValue }
        let down = strides[strides.count - 2]
        let right = strides[strides.count - 1]
        for y in 0..<job.height {
            if givesLabels {
                // The background is the first channel, where the output begins.
                for x in 0..<job.width {
                    target[y * job.width + x] = 1 - source[y * down + x * right]
                }
            } else if right == 1 {
                memcpy(target + y * job.width, source + y * down, job.width * MemoryLayout<Float>.size)
            } else {
                for x in 0..<job.width {
                    target[y * job.width + x] = source[y * down + x * right]
                }
            }
        }
        return made
    }

    /// The labels that `step` returned, (height, width, 9), as shares of 255.
    func shares(_ made: MLMultiArray) -> Data {
        let source = made.dataPointer.assumingMemoryBound(to: Float.self)
        let strides = made.strides.map { $0.intValue }
        let next = strides[strides.count - 3]
        let down = strides[strides.count - 2]
        let right = strides[strides.count - 1]
        var shares = [UInt8](repeating: 0, count: job.pixels * Network.labels)
        var place = 0
        for y in 0..<job.height {
            for x in 0..<job.width {
                for label in 0..<Network.labels {
                    // In this order a NaN becomes 0, and no integer can be made of one.
                    let held = min(1, max(0, source[label * next + y * down + x * right]))
                    shares[place] = UInt8((held * 255).rounded())
                    place += 1
                }
            }
        }
        return Data(shares)
    }

    func close() {
        if compiled.pathExtension == "mlmodelc" && !compiled.path.hasPrefix(Folders.documents.path) {
            try? FileManager.default.removeItem(at: compiled)
        }
    }
}
