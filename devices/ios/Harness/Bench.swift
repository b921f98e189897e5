import Combine
import Foundation
import UIKit

/// Looks for a job while the app is in front, measures it on a thread of its own, leaves the answer for the host.
final class Bench: ObservableObject {
    @Published private(set) var phase = "Waiting for a job from the computer"
    @Published private(set) var detail = ""
    @Published private(set) var busy = false

    private var lastJob = ""
    private var timer: Timer?
    private let lock = NSLock()
    private var left = false

    func start() {
        guard timer == nil else { return }
        UIApplication.shared.isIdleTimerDisabled = true
        if let (job, phase) = Answer.last() {
            lastJob = job
            if !["done", "failed", "interrupted"].contains(phase) {
                let reason = "the app was ended while it was \(phase), for want of memory or by hand"
                Answer(job: job).status("failed", reason: reason)
            }
        }
        timer = Timer.scheduledTimer(withTimeInterval: 0.5, repeats: true) { [weak self] _ in self?.look() }
        NotificationCenter.default.addObserver(
            forName: UIApplication.willResignActiveNotification, object: nil, queue: .main
        ) { [weak self] _ in self?.interrupt() }
    }

    private func look() {
        guard !busy, UIApplication.shared.applicationState == .active,
            let data = try? Data(contentsOf: Folders.question.appendingPathComponent("go.json")),
            let go = try? JSONDecoder().decode(Go.self, from: data), go.job != lastJob
        else { return }
        lastJob = go.job
        busy = true
        setLeft(false)
        let thread = Thread { [weak self] in self?.measure(go) }
        // The fast cores are for what a person waits for.
        thread.qualityOfService = .userInteractive
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Locking the screen or going elsewhere spoils a measurement; the time iOS still grants is for saying so.
    private func interrupt() {
        guard busy else { return }
        setLeft(true)
        var task = UIBackgroundTaskIdentifier.invalid
        task = UIApplication.shared.beginBackgroundTask { UIApplication.shared.endBackgroundTask(task) }
        DispatchQueue.main.asyncAfter(deadline: .now() + 5) { UIApplication.shared.endBackgroundTask(task) }
    }

    private func measure(_ go: Go) {
        let answer = Answer(job: go.job)
        do {
            try answer.begin()
            let say = { (phase: String) in
                answer.status(phase)
                self.show(phase, go.job)
            }
            say("waiting")
            let before = try coolDown(go.nominal_seconds)
            let measurement = Measurement(
                folder: Folders.question, masks: answer.masks, labels: answer.labels, say: say, check: checkInFront)
            let score = try measurement.run()
            try answer.result(score, before: before, after: facts())
            answer.status("done")
            show("done", "\(score.modelNs.count) samples; waiting for the next job")
        } catch {
            if isLeft() {
                answer.status("interrupted", reason: "the screen was locked or another app came to the front")
                show("interrupted", "Keep this app in front and the screen on")
            } else {
                answer.status("failed", reason: "the harness failed: \(error.localizedDescription)")
                show("failed", error.localizedDescription)
            }
        }
        DispatchQueue.main.async { self.busy = false }
    }

    /// The facts once the phone is cool, or after `limit` seconds as they then are.
    private func coolDown(_ limit: Double) throws -> [String: Any] {
        let start = now()
        while ProcessInfo.processInfo.thermalState != .nominal, Double(now() - start) / 1e9 < limit {
            try checkInFront()
            Thread.sleep(forTimeInterval: 1)
        }
        var found = facts()
        found["waited_s"] = Int((now() - start) / 1_000_000_000)
        return found
    }

    private func facts() -> [String: Any] {
        DispatchQueue.main.sync { Phone.facts() }
    }

    private func show(_ phase: String, _ detail: String) {
        DispatchQueue.main.async {
            self.phase = phase.prefix(1).uppercased() + phase.dropFirst()
            self.detail = detail
        }
    }

    private func checkInFront() throws {
        if isLeft() {
            throw Interrupted()
        }
    }

    private func isLeft() -> Bool {
        lock.lock()
        defer { lock.unlock() }
        return left
    }

    private func setLeft(_ value: Bool) {
        lock.lock()
        left = value
        lock.unlock()
    }
}
