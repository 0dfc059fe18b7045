import Foundation
import TestSupport
import Testing

/// A Slurm of one machine, with all its files in one folder, for as long as a test needs it.
final class SlurmCluster {
  private let folder: TemporaryFolder
  private let environment: [String: String]
  private var daemons: [Child] = []
  private var calls = 0

  private static let programs = ["/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch"]
  /// Whether it can be started here.
  static let isPossible = getuid() == 0 && programs.allSatisfy(FileManager.default.isExecutableFile)

  /// Starts the daemons, and waits until they take jobs.
  ///
  /// - Parameter environment: added to that of the tests; jobs get it.
  init(_ environment: [String: String]) throws {
    folder = try TemporaryFolder()
    let configuration = folder.path("slurm.conf")
    let programs = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
    let path = programs + ":" + (Program.environment["PATH"] ?? "/usr/bin:/bin")
    self.environment = Program.environment.merging(["SLURM_CONF": configuration, "PATH": path]) { $1 }
      .merging(environment) { $1 }
    try folder.write("slurm.conf", Self.configuration(in: folder.path))
    try folder.write("key", String((0..<128).map { _ in "abcdefghijklmnop".randomElement()! }))
    try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: folder.path("key"))
    for name in ["state", "spool"] {
      try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
    }
    // --force: the folder of temporary files may be written to by everybody.
    let files = ["socket=munge.socket", "key-file=key", "pid-file=munge.pid", "log-file=munge.log", "seed-file=seed"]
    try start("munged", ["--foreground", "--force"] + files.map { "--" + $0.replacing("=", with: "=\(folder.path)/") })
    try #require(wait(10) { FileManager.default.fileExists(atPath: folder.path("munge.socket")) }, "\(log)")
    try start("slurmctld", ["-D", "-c", "-f", configuration])
    try start("slurmd", ["-D", "-f", configuration])
    try #require(wait(60) { try tool("sinfo", ["-h", "-o", "%T"]) == "idle" }, "\(log)")
  }

  deinit { stop() }

  /// Ends its jobs, then its daemons.
  func stop() {
    guard !daemons.isEmpty else { return }
    _ = try? tool("scancel", ["--user=root"])
    wait(20) { (try? tool("squeue", ["-h"])) == "" }
    for daemon in daemons.reversed() { daemon.end() }
    daemons = []
  }

  /// What works without systemd and control groups; a machine that is larger than this one, so that requests are never too large.
  private static func configuration(in folder: String) throws -> String {
    let host = try #require(try run("/bin/uname", ["-n"]).stdout.split(separator: "\n").first)
    return """
      ClusterName=spectroscope
      SlurmctldHost=\(host)(127.0.0.1)
      SlurmctldPort=\(try freePort())
      SlurmdPort=\(try freePort())
      SlurmUser=root
      SlurmdUser=root
      AuthType=auth/munge
      AuthInfo=socket=\(folder)/munge.socket
      StateSaveLocation=\(folder)/state
      SlurmdSpoolDir=\(folder)/spool
      SlurmctldPidFile=\(folder)/slurmctld.pid
      SlurmdPidFile=\(folder)/slurmd.pid
      ProctrackType=proctrack/linuxproc
      TaskPlugin=task/none
      SelectType=select/cons_tres
      SelectTypeParameters=CR_CPU_Memory
      MpiDefault=none
      SlurmdParameters=config_overrides
      ReturnToService=2
      KillWait=5
      SchedulerParameters=sched_interval=2,bf_interval=2
      NodeName=\(host) NodeAddr=127.0.0.1 CPUs=64 RealMemory=262144 State=UNKNOWN
      PartitionName=all Nodes=ALL Default=YES State=UP

      """
  }

  private static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
      }
    }
    try #require(status == 0)
    return Int(in_port_t(bigEndian: address.sin_port))
  }

  /// Has a shell start a daemon, and end it when it is itself asked to end or the tests are gone.
  ///
  /// `Process` knows of a child's end by a descriptor that the child inherits. Daemons close it when they start: it would wait for them then,
  /// and learn of no other child's end.
  private func start(_ name: String, _ arguments: [String]) throws {
    let guarding = """
      trap 'kill $daemon' TERM; "$@" & daemon=$!
      while kill -0 $daemon && kill -0 $PPID; do sleep 1 & wait $!; done 2> /dev/null
      kill $daemon 2> /dev/null; wait $daemon
      """
    daemons.append(
      try Child(
        "/bin/sh", ["-c", guarding, "sh", "/usr/sbin/" + name] + arguments, output: folder.path(name + ".out"),
        environment: environment))
  }

  /// What the daemons have said.
  var log: String { daemons.map(\.output).joined(separator: "\n") }

  /// Runs one of Slurm's programs, and returns what it printed and said; none may take longer than a minute.
  @discardableResult
  func tool(_ name: String, _ arguments: [String]) throws -> String {
    calls += 1
    let child = try Child(
      "/usr/bin/" + name, arguments, output: folder.path("call-\(calls)"), environment: environment)
    try #require(child.status(within: 60) != nil, "\(name) hangs: \(child.output)\(log)")
    return child.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Submits a job, and returns its number.
  func submit(_ arguments: [String]) throws -> String {
    let said = try tool("sbatch", ["--parsable"] + arguments)
    try #require(Int(said) != nil, "\(said)\(log)")
    return said
  }

  /// The states of a job's tasks; none where all have ended.
  func states(_ job: String) throws -> [String] {
    let said = try tool("squeue", ["-h", "-r", "-o", "%T", "-t", "all", "-j", job]).split(separator: "\n")
    return said.map(String.init).filter { !["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"].contains($0) }
  }

  /// Waits for the end of a job; whether it came within so many seconds.
  func hasEnded(_ job: String, within seconds: Double) throws -> Bool {
    try wait(seconds) {
      usleep(300_000)
      return try states(job).isEmpty
    }
  }
}
