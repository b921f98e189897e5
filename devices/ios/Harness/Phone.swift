import Foundation
import UIKit

/// What the phone is and how it feels. The host names the hazards in it: devices/ios/probe.py.
enum Phone {
    static func facts() -> [String: Any] {
        let process = ProcessInfo.processInfo
        let device = UIDevice.current
        device.isBatteryMonitoringEnabled = true
        var facts: [String: Any] = [
            "product": product(),
            "ios": device.systemVersion,
            "thermal_state": thermal(process.thermalState),
            "low_power": process.isLowPowerModeEnabled,
            "processors": process.activeProcessorCount,
            "memory_bytes": Int64(process.physicalMemory),
            "plugged": device.batteryState == .charging || device.batteryState == .full,
            "debug_build": debugBuild,
            "simulator": simulator,
        ]
        if device.batteryLevel >= 0 {
            facts["battery"] = Int((device.batteryLevel * 100).rounded())
        }
        return facts
    }

    static func product() -> String {
        var system = utsname()
        uname(&system)
        let length = MemoryLayout.size(ofValue: system.machine)
        return withUnsafePointer(to: &system.machine) {
            $0.withMemoryRebound(to: CChar.self, capacity: length) {
                String(cString: $0)
            }
        }
    }

    static func thermal(_ state: ProcessInfo.ThermalState) -> String {
        switch state {
        case .nominal: return "nominal"
        case .fair: return "fair"
        case .serious: return "serious"
        case .critical: return "critical"
        @unknown default: return "unknown"
        }
    }

    /// The most memory that was resident at once, in bytes.
    static func peakMemory() -> Int64 {
        var usage = rusage()
        getrusage(RUSAGE_SELF, &usage)
        return Int64(usage.ru_maxrss)
    }

    #if DEBUG
    static let debugBuild = true
    #else
    static let debugBuild = false
    #endif

    #if targetEnvironment(simulator)
    static let simulator = true
    #else
    static let simulator = false
    #endif
}
