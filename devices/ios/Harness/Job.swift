import Foundation

/// What the host asks for: job.json as devices/job.py writes it. What the app does not need is left out.
struct Job: Decodable {
    struct Counts: Decodable {
        let warm_up_least: Int
        let warm_up_seconds: Double
        let samples: Int
        let seconds: Double
    }

    let model: String
    let frames: String
    let format: String
    let resolution: [Int]
    let sequences: [Int]
    let unit: String
    let counts: Counts
    let variant: String

    var height: Int { resolution[0] }
    var width: Int { resolution[1] }
    var pixels: Int { height * width }

    static func read(_ folder: URL) throws -> Job {
        try JSONDecoder().decode(Job.self, from: Data(contentsOf: folder.appendingPathComponent("job.json")))
    }
}

/// go.json: pushed when everything else is in place. Every attempt has a name of its own.
struct Go: Decodable {
    let job: String
    let nominal_seconds: Double
}

/// A sentence for the row.
struct Fault: LocalizedError {
    let reason: String
    var errorDescription: String? { reason }
}

/// The folders that the host and the app share. What the host pushes may belong to another user, so the app
/// writes into a folder of its own.
enum Folders {
    static let documents = FileManager.default.urls(for: .documentDirectory, in: .userDomainMask)[0]
    static let question = documents.appendingPathComponent("job")
    static let answer = documents.appendingPathComponent("answer")
}
