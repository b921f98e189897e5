import SwiftUI

@main
struct HarnessApp: App {
    @StateObject private var bench = Bench()

    var body: some Scene {
        WindowGroup {
            VStack(spacing: 16) {
                Text("Segmentation harness").font(.headline)
                if bench.busy {
                    ProgressView()
                }
                Text(bench.phase).font(.title2)
                Text(bench.detail).font(.footnote).foregroundColor(.secondary)
                Text("Keep the screen on and this app in front.").font(.footnote)
            }
            .multilineTextAlignment(.center)
            .padding()
            .onAppear { bench.start() }
        }
    }
}
