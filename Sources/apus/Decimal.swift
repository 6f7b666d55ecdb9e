// Numbers for people to read.

import Foundation

/// A number with so many digits after the point.
func decimal(_ value: Double, digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// A large number in three or four digits: `11.0 M`, `950 k`, `12`.
func compact(_ value: Double) -> String {
    switch value {
    case 1e9...: "\(decimal(value / 1e9, digits: 2)) G"
    case 1e6...: "\(decimal(value / 1e6, digits: 2)) M"
    case 1e4...: "\(decimal(value / 1e3, digits: 1)) k"
    default: decimal(value, digits: value < 100 ? 1 : 0)
    }
}
