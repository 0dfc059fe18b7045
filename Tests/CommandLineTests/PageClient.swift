import Foundation

/// A reader of `serve` that speaks HTTP over a socket of its own, so that it can be slow, rude, or gone.
final class PageClient {
  private let socket: Int32

  struct Failure: Error {}

  /// - Parameter host: an address of this machine, 127.0.0.1 or ::1.
  init(_ host: String = "127.0.0.1", port: Int) throws {
    var hints = addrinfo()
    (hints.ai_flags, hints.ai_socktype) = (AI_NUMERICHOST, Int32(SOCK_STREAM.rawValue))
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &found) == 0, let address = found?.pointee else { throw Failure() }
    defer { freeaddrinfo(found) }
    socket = Foundation.socket(address.ai_family, address.ai_socktype, 0)
    guard connect(socket, address.ai_addr, address.ai_addrlen) == 0 else {
      close(socket)
      throw Failure()
    }
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(socket) }

  func send(_ text: String) {
    text.utf8.withContiguousStorageIfAvailable { _ = write(socket, $0.baseAddress, $0.count) }
  }

  /// Reads until the text so far is as wished, the end, or ten silent seconds.
  func read(until isEnough: (String) -> Bool) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if isEnough(text) { return text }
      let count = Foundation.read(socket, &buffer, buffer.count)
      guard count > 0 else { return text }
      bytes += buffer[..<count]
    }
  }

  /// One request and its whole answer.
  func answer(
    _ method: String = "GET", _ path: String = "/", host: String, headers: [String] = []
  ) -> (status: Int, head: String, body: String) {
    let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
    send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    let text = read { _ in false }
    let parts = text.components(separatedBy: "\r\n\r\n")
    let status = parts[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return (status, parts[0], parts.dropFirst().joined(separator: "\r\n\r\n"))
  }
}
