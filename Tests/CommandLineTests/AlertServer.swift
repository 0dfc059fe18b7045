import Foundation
import Synchronization

/// A web server on the loopback interface that keeps the bodies of requests, and answers all of them alike or none at all.
final class AlertServer: Sendable {
  let port: UInt16
  private let socket: Int32
  private let received = Mutex<[String]>([])

  var bodies: [String] { received.withLock { $0 } }

  struct Failure: Error {}

  /// - Parameter status: of every answer; nil for none.
  init(status: Int?) throws {
    socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (descriptor, size) = (socket, length)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, size) == 0 && listen(descriptor, 8) == 0
          && getsockname(descriptor, address, &length) == 0
      }
    }
    guard isBound else { throw Failure() }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(descriptor, nil, nil)
        guard connection >= 0 else { return }
        let body = Self.body(from: connection)
        guard let self else { return }
        self.received.withLock { $0.append(body) }
        // Without an answer the connection stays open.
        guard let status else { continue }
        let answer = Array("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        _ = write(connection, answer, answer.count)
        close(connection)
      }
    }
  }

  deinit {
    shutdown(socket, Int32(SHUT_RDWR))
    close(socket)
  }

  /// Reads a request with a Content-Length to its end.
  private static func body(from connection: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let length =
          text[..<end.lowerBound].lowercased().split(separator: "\r\n")
          .first { $0.hasPrefix("content-length:") }.flatMap {
            Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces))
          } ?? 0
        let body = text[end.upperBound...]
        if body.utf8.count >= length { return String(body) }
      }
      let count = read(connection, &buffer, buffer.count)
      guard count > 0 else { return "" }
      bytes += buffer[..<count]
    }
  }
}
