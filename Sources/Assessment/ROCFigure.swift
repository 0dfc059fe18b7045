import Foundation

/// ROC curves as an SVG: two panels side by side, on white, readable without colour by the order of the legend.
package struct ROCFigure: Sendable {
  package struct Panel: Sendable {
    package var title: String
    package var curves: [(name: String, roc: ROC)]

    package init(title: String, curves: [(name: String, roc: ROC)]) { (self.title, self.curves) = (title, curves) }
  }

  private let panels: [Panel]
  private static let side = 300.0
  /// Okabe and Ito's palette, which colour-blind readers tell apart.
  private static let colours = ["#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
  private static let dashes = ["none", "7 3", "2 3", "9 3 2 3", "none", "5 5", "1 2"]

  package init(_ panels: [Panel]) { self.panels = panels }

  package var svg: String {
    let width = Double(panels.count) * (Self.side + 90) + 20
    let height = Self.side + 90 + 18 * Double(panels.map(\.curves.count).max() ?? 0)
    let body = panels.enumerated().map { index, panel in
      "<g transform=\"translate(\(50 + Double(index) * (Self.side + 90)) 30)\">\n" + Self.panel(panel) + "</g>\n"
    }.joined()
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" role="img" font-family="sans-serif" font-size="12">
      <title>ROC curves of the test half</title>
      <rect width="100%" height="100%" fill="#ffffff"/>
      \(body)</svg>

      """
  }

  private static func panel(_ panel: Panel) -> String {
    var lines = [
      "<text x=\"0\" y=\"-10\" font-weight=\"bold\">\(panel.title)</text>",
      "<rect width=\"\(side)\" height=\"\(side)\" fill=\"none\" stroke=\"#888888\"/>",
      "<line x1=\"0\" y1=\"\(side)\" x2=\"\(side)\" y2=\"0\" stroke=\"#bbbbbb\" stroke-dasharray=\"3 3\"/>",
      "<text x=\"\(side / 2)\" y=\"\(side + 32)\" text-anchor=\"middle\">share alarmed wrongly</text>",
      "<text transform=\"translate(-34 \(side / 2)) rotate(-90)\" text-anchor=\"middle\">share alarmed in time</text>",
    ]
    for tick in stride(from: 0.0, through: 1, by: 0.25) {
      let text = String(format: "%.2g", tick)
      lines.append(
        "<text x=\"\(tick * side)\" y=\"\(side + 15)\" text-anchor=\"middle\" font-size=\"10\">\(text)</text>")
      lines.append("<text x=\"-5\" y=\"\(side - tick * side + 4)\" text-anchor=\"end\" font-size=\"10\">\(text)</text>")
    }
    for (index, curve) in panel.curves.enumerated() {
      let points = curve.roc.points.map { String(format: "%.1f,%.1f", $0.falseAlarms * side, side - $0.recall * side) }
      let style =
        "fill=\"none\" stroke=\"\(colours[index % colours.count])\" stroke-width=\"2\" stroke-dasharray=\"\(dashes[index % dashes.count])\""
      lines.append("<polyline points=\"\(points.joined(separator: " "))\" \(style)/>")
      let y = side + 52 + 18 * Double(index)
      let area = curve.roc.area.map { String(format: "%.3f", $0) } ?? "–"
      lines.append("<line x1=\"0\" y1=\"\(y - 4)\" x2=\"30\" y2=\"\(y - 4)\" \(style)/>")
      lines.append("<text x=\"38\" y=\"\(y)\">\(curve.name), area \(area)</text>")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
