import Foundation

/// result.json, masks.f32, of a network with labels labels.u8, and status.json: what the host pulls.
struct Answer {
    let job: String

    private func file(_ name: String) -> URL {
        Folders.answer.appendingPathComponent(name)
    }

    var masks: URL { file("masks.f32") }
    var labels: URL { file("labels.u8") }

    /// An empty folder for this attempt.
    func begin() throws {
        try? FileManager.default.removeItem(at: Folders.answer)
        try FileManager.default.createDirectory(at: Folders.answer, withIntermediateDirectories: true)
    }

    /// status.json tells the host what happens; it is written between measurements, never during one.
    func status(_ phase: String, reason: String? = nil) {
        var said = ["job": job, "phase": phase]
        said["reason"] = reason
        if let data = try? JSONSerialization.data(withJSONObject: said) {
            try? data.write(to: file("status.json"), options: .atomic)
        }
    }

    /// The name and the last phase of the attempt before, if any.
    static func last() -> (job: String, phase: String)? {
        guard let data = try? Data(contentsOf: Folders.answer.appendingPathComponent("status.json")),
            let said = try? JSONSerialization.jsonObject(with: data) as? [String: String],
            let job = said["job"], let phase = said["phase"]
        else { return nil }
        return (job, phase)
    }

    /// Writes result.json in one step, the end marker as its last key.
    func result(_ score: Score, before: [String: Any], after: [String: Any]) throws {
        var facts = before
        for (name, value) in after where "\(value)" != "\(before[name] ?? "")" {
            facts["after_\(name)"] = value
        }
        facts["job"] = job
        facts["compile_ms"] = Double(score.compileNs) / 1e6
        let result: [String: Any] = [
            "evidence": Phone.simulator ? "emulated" : "measured",
            "model_ns": score.modelNs,
            "pipeline_ns": score.pipelineNs,
            "load_ns": score.loadNs,
            "first_ns": score.firstNs,
            "warm_up": [
                "iterations": score.warmUp.iterations,
                "seconds": score.warmUp.seconds,
                "converged": score.warmUp.converged,
            ] as [String: Any],
            "peak_memory_bytes": Phone.peakMemory(),
            "placement": score.placement,
            "environment": ["facts": facts],
        ]
        let data = try JSONSerialization.data(withJSONObject: result, options: [.sortedKeys])
        // A dictionary cannot put a key last; its text can.
        let text = String(decoding: data.dropLast(), as: UTF8.self) + ",\"end\":\"done\"}\n"
        try Data(text.utf8).write(to: file("result.json"), options: .atomic)
    }
}
