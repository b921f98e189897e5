import CoreML
import Foundation

/// Where Core ML means to run the operators, as far as the system tells: from iOS 17.4 on.
enum Placement {
    static func read(_ network: Network) -> [String: Any] {
        let system = ProcessInfo.processInfo.operatingSystemVersion
        var told: [String: Any] = [
            "runtime": "Core ML of iOS \(system.majorVersion).\(system.minorVersion).\(system.patchVersion)",
            "compute_units": network.computeUnits,
            "actual": network.computeUnits == "cpuOnly" ? "CPU" : "not told by this iOS",
        ]
        if #available(iOS 17.4, *), let counts = plan(network) {
            let total = counts.values.reduce(0, +)
            told["ops"] = total
            told["ops_by_device"] = counts
            told["actual"] = counts.keys.sorted().joined(separator: " and ")
        }
        return told
    }

    /// Carries the answer out of the task; the semaphore orders its uses.
    private final class Box: @unchecked Sendable {
        var value: [String: Int]?
    }

    @available(iOS 17.4, *)
    private static func plan(_ network: Network) -> [String: Int]? {
        let done = DispatchSemaphore(value: 0)
        let counts = Box()
        Task.detached {
            if let plan = try? await MLComputePlan.load(contentsOf: network.compiled, configuration: network.configuration),
                case .program(let program) = plan.modelStructure, let main = program.functions["main"] {
                var found: [String: Int] = [:]
                for operation in main.block.operations {
                    if let usage = plan.deviceUsage(for: operation) {
                        found[name(usage.preferred), default: 0] += 1
                    }
                }
                counts.value = found
            }
            done.signal()
        }
        done.wait()
        return counts.value
    }

    @available(iOS 17.4, *)
    private static func name(_ device: MLComputeDevice) -> String {
        switch device {
        case .cpu: return "CPU"
        case .gpu: return "GPU"
        case .neuralEngine: return "Neural Engine"
        @unknown default: return "another device"
        }
    }
}
