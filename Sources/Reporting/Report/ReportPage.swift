import Foundation
import RunStore
import Weights

/// The report as one HTML file that needs nothing else: text and tables as plain HTML, the data, and the scripts that draw them.
///
/// Its Content-Security-Policy allows the one style sheet and the one script by their SHA-256 and nothing else, so that whatever a file had
/// in its names, nothing of it can run or fetch.
package struct ReportPage: Sendable {
  let report: Report
  /// Whether a server keeps it up to date.
  let isLive: Bool

  /// - Parameter isLive: it then fetches itself anew, from where it came from, when `events` there says so.
  package init(_ report: Report, isLive: Bool = false) { (self.report, self.isLive) = (report, isLive) }

  package var html: String {
    let parts: [String: String] = [
      "policy": Self.policy(script: script, isLive: isLive), "style": Self.style, "script": script,
      "live": liveLine.text, "title": HTML("\(title)").text,
      "heading": HTML("\(heading)").text, "navigation": navigation.text, "verdicts": verdicts.text,
      "findings": findings.text, "behaviour": numbers.text, "modules": modules.text,
      "comparison": comparison.text, "map": map.text,
      "gaps": gaps.text, "sources": sources.text,
      // Of a grid without any analysis there is nothing but the map.
      "unless-runs": report.runs.isEmpty ? " hidden" : "",
      "data": ReportData(report: report).json.text().escapedForScript,
    ]
    return Self.filled(Self.template, with: parts)
  }

  /// The template with its marks `{{name}}` replaced, in one pass: what is put in is never looked at again.
  static func filled(_ template: String, with parts: [String: String]) -> String {
    var result = ""
    var rest = template[...]
    while let open = rest.range(of: "{{"), let close = rest.range(of: "}}", range: open.upperBound..<rest.endIndex) {
      result += rest[..<open.lowerBound]
      result += parts[String(rest[open.upperBound..<close.lowerBound])]!
      rest = rest[close.upperBound...]
    }
    return result + rest
  }

  private var heading: String {
    switch report.runs.count {
    case 0: report.map == nil ? "Nothing to show yet" : "A grid of runs"
    case 1: report.runs[0].name
    case 5...: "\(report.runs.count) runs"
    default: report.runs.map(\.name).joined(separator: " · ")
    }
  }

  private var script: String { isLive ? Self.liveScript : Self.script }

  private var liveLine: HTML {
    isLive ? HTML("<p id=\"live\" class=\"live\" role=\"status\">Connecting …</p>\n") : HTML("")
  }

  private var title: String { "\(heading) – Spectroscope" }

  /// What the grid of modules is, or that there is none.
  private var modules: HTML {
    report.runs.allSatisfy { $0.analysis.rows.isEmpty }
      ? "<p class=\"quiet\">No update could be measured, so there is no module to show.</p>"
      : """
      <p class="intro">Every adapted weight, a row a layer and a column a projection. Choose a metric and a checkpoint; open a module for its \
      spectrum and its geometry against W₀.</p>
      """
  }

  /// Links to the parts that there are.
  private var navigation: HTML {
    var parts = [("verdict", "Verdict"), ("findings", "Findings"), ("behaviour", "Behaviour"), ("modules", "Modules")]
    if report.runs.isEmpty { parts = [] }
    if report.runs.count > 1 { parts.append(("comparison", "Comparison")) }
    if report.map != nil { parts.append(("map", "Rates")) }
    parts.append(("gaps", "Not judged"))
    parts.append(("sources", "Sources"))
    return HTML("\(parts.map { HTML("<a href=\"#\($0.0)\">\($0.1)</a>") })")
  }
}

// MARK: - What the page is made of

extension ReportPage {
  static let template = String(decoding: PackageResources.report_html, as: UTF8.self)
  static let style = String(decoding: PackageResources.report_css, as: UTF8.self)

  /// The scripts in the order in which they build on one another, as one that leaves no names behind.
  static let script = joined(files)
  static let liveScript = joined(files + [PackageResources.live_js])

  private static var files: [[UInt8]] {
    [
      PackageResources.decode_js, PackageResources.scales_js, PackageResources.charts_js, PackageResources.behaviour_js,
      PackageResources.heatmap_js, PackageResources.module_js, PackageResources.comparison_js, PackageResources.page_js,
    ]
  }

  private static func joined(_ files: [[UInt8]]) -> String {
    "\"use strict\";\n{\n" + files.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n") + "}\n"
  }

  /// Nothing is loaded, sent or run but the style sheet and the script that the page carries; a live one may ask its own server.
  static func policy(script: String, isLive: Bool) -> String {
    "default-src 'none'; style-src '\(digest(of: style))'; script-src '\(digest(of: script))'; base-uri 'none'; form-action 'none'"
      + (isLive ? "; connect-src 'self'" : "")
  }

  /// A text's SHA-256 as a Content-Security-Policy has it.
  static func digest(of text: String) -> String {
    var hash = SHA256()
    hash.update(Array(text.utf8))
    let digits = Array(hash.hexadecimal)
    let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
    return "sha256-" + Data(bytes).base64EncodedString()
  }
}
