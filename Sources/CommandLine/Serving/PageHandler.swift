import FlyingFox
import Foundation

/// Answers `GET /` with the page and `GET /events` with its changes, and nothing else.
///
/// A browser may be led here by pages of others. So requests are answered under this server's own names alone (no other name that resolves to
/// the loopback address gets anything), and none that another page makes.
struct PageHandler: HTTPHandler {
  private let page: ServedPage
  private let names: Set<String>

  init(_ page: ServedPage, port: UInt16) {
    self.page = page
    names = Set(["localhost", "127.0.0.1", "[::1]"].map { "\($0):\(port)" })
  }

  func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard let host = request.headers[.host], names.contains(host.lowercased()),
      request.headers[HTTPHeader("Origin")].map({ $0 == "http://" + host }) ?? true
    else { return refusal(.forbidden) }
    guard request.method == .GET || request.method == .HEAD else {
      return refusal(.methodNotAllowed, [HTTPHeader("Allow"): "GET, HEAD"])
    }
    switch request.path {
    case "/":
      let html = page.current.html
      return HTTPResponse(
        statusCode: .ok, headers: headers("text/html; charset=utf-8"),
        body: request.method == .HEAD ? Data() : html)
    case "/events" where request.method == .GET:
      return HTTPResponse(
        statusCode: .ok, headers: headers("text/event-stream"), body: HTTPBodySequence(from: PageEvents(page)))
    default: return refusal(.notFound)
    }
  }

  private func headers(_ type: String) -> HTTPHeaders {
    [
      .contentType: type, .cacheControl: "no-store", HTTPHeader("X-Content-Type-Options"): "nosniff",
      HTTPHeader("X-Frame-Options"): "DENY", HTTPHeader("Cross-Origin-Resource-Policy"): "same-origin",
      HTTPHeader("Cross-Origin-Opener-Policy"): "same-origin", HTTPHeader("Referrer-Policy"): "no-referrer",
    ]
  }

  private func refusal(_ status: HTTPStatusCode, _ more: [HTTPHeader: String] = [:]) -> HTTPResponse {
    var all = headers("text/plain; charset=utf-8")
    for (name, value) in more { all[name] = value }
    return HTTPResponse(statusCode: status, headers: all, body: Data("\(status.code) \(status.phrase)\n".utf8))
  }
}
