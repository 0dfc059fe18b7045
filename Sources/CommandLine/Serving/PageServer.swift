import FlyingFox
import FlyingSocks
import Foundation
import Weights

/// Serves one page, and tells of its changes, on the loopback interfaces alone.
final class PageServer: Sendable {
  let port: UInt16
  private let tasks: [Task<Void, Never>]

  /// - Parameter port: 0 for any that is free.
  /// - Throws: `.cannotCreate` where the port is taken, or there is no loopback interface.
  init(_ page: ServedPage, port: UInt16) throws(FileError) {
    let first = try Self.listen("127.0.0.1", port, page)
    (self.port, tasks) = (
      first.port, [first.task] + (Self.hasIPv6 ? [try Self.listen("::1", first.port, page).task] : [])
    )
  }

  func stop() { for task in tasks { task.cancel() } }

  /// Containers often have none.
  private static var hasIPv6: Bool {
    let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    let address = try? sockaddr_in6.inet6(ip6: "::1", port: 0)
    return address?.withSockAddr { bind(descriptor, $0, $1) == 0 } ?? false
  }

  private static func listen(
    _ address: String, _ port: UInt16, _ page: ServedPage
  ) throws(FileError) -> (port: UInt16, task: Task<Void, Never>) {
    do {
      return try Blocking.wait { try await start(address, port, page) }
    } catch {
      throw FileError(
        .cannotCreate, path: "\(address), port \(port)", "cannot be listened on: \(problem(error))",
        remedy: "Name another --port, or 0 for any that is free")
    }
  }

  private static func start(
    _ address: String, _ port: UInt16, _ page: ServedPage
  ) async throws -> (port: UInt16, task: Task<Void, Never>) {
    let server = try server(address, port)
    let failure = Blocking.Box<any Error>()
    let task = Task {
      do { try await server.run() } catch { failure.set(error) }
    }
    while true {
      if let found = await server.listeningPort {
        await server.appendRoute("*", to: PageHandler(page, port: found))
        return (found, task)
      }
      if let error = failure.value { throw error }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private static func server(_ address: String, _ port: UInt16) throws -> HTTPServer {
    if address.contains(":") {
      HTTPServer(address: try .inet6(ip6: address, port: port), logger: .disabled)
    } else {
      HTTPServer(address: try .inet(ip4: address, port: port), logger: .disabled)
    }
  }

  private static func problem(_ error: any Error) -> String {
    if case .failed(_, _, let message) = error as? SocketError { message } else { error.localizedDescription }
  }
}

extension HTTPServer {
  /// Nil until it listens.
  fileprivate var listeningPort: UInt16? {
    switch listeningAddress {
    case .ip4(_, let port), .ip6(_, let port): isListening ? port : nil
    default: nil
    }
  }
}
