import Foundation

/// Bilinear resize of 8-bit pictures with `channels` values a pixel, half-pixel centres, edges held: that of OpenCV
/// and of devices/aarch64_runner/runner.c, in 7-bit weights.
struct Resize {
    let fromWidth: Int
    let toWidth: Int
    let channels: Int
    private let rows: [(first: Int, second: Int, share: Int32)]
    private let columns: [(first: Int, second: Int, share: Int32)]

    init(from: (height: Int, width: Int), to: (height: Int, width: Int), channels: Int) {
        fromWidth = from.width
        toWidth = to.width
        self.channels = channels
        rows = Resize.places(from.height, to.height)
        columns = Resize.places(from.width, to.width)
    }

    func callAsFunction(_ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>) {
        var out = target
        for row in rows {
            let above = source + row.first * fromWidth * channels
            let below = source + row.second * fromWidth * channels
            for column in columns {
                let left = column.first * channels
                let right = column.second * channels
                for c in 0..<channels {
                    let top = Int32(above[left + c]) * (128 - column.share) + Int32(above[right + c]) * column.share
                    let bottom = Int32(below[left + c]) * (128 - column.share) + Int32(below[right + c]) * column.share
                    out.pointee = UInt8((top * (128 - row.share) + bottom * row.share + 8192) >> 14)
                    out += 1
                }
            }
        }
    }

    private static func places(_ from: Int, _ to: Int) -> [(first: Int, second: Int, share: Int32)] {
        (0..<to).map { i -> (first: Int, second: Int, share: Int32) in
            let centre = (Double(i) + 0.5) * Double(from) / Double(to) - 0.5
            let held = min(max(centre, 0), Double(from - 1))
            let first = min(Int(held), max(from - 2, 0))
            return (first, min(first + 1, from - 1), Int32(((held - Double(first)) * 128).rounded()))
        }
    }
}

/// (H, W, 3) 8-bit RGB as (3, H, W) floats in [0, 1].
func planes(_ source: UnsafePointer<UInt8>, pixels: Int, _ target: UnsafeMutablePointer<Float>) {
    for c in 0..<3 {
        let plane = target + c * pixels
        for i in 0..<pixels {
            plane[i] = Float(source[3 * i + c]) / 255
        }
    }
}
