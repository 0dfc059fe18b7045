import OrderedCollections
import TestSupport
import Testing
import Weights

@Suite struct JSONParserTests {
  @Test func readsEveryKindOfValue() throws {
    let value = try JSONValue(
      parsing: #" {"a": null, "b": [true, false], "c": -12, "d": 1.5e3, "e": "x", "f": {}, "g": []} "#)
    #expect(
      value == ["a": nil, "b": [true, false], "c": -12, "d": 1500.0, "e": "x", "f": [:], "g": []])
    #expect(value["c"]?.int == -12)
    #expect(value["c"]?.double == -12)
    #expect(value["d"]?.int == 1500)
    #expect(value["b"]?.array?.first?.bool == true)
    #expect(value["a"]?.isNull == true)
    #expect(value["z"] == nil && value["e"]?["x"] == nil)
  }

  @Test func keepsTheOrderOfKeys() throws {
    let value = try JSONValue(parsing: #"{"zebra":1,"apple":2,"mango":3,"apple":4}"#)
    #expect(value.object?.keys.elements == ["zebra", "apple", "mango"])
    #expect(value["apple"] == 4)
  }

  @Test func reportsDuplicateKeysWhenAsked() {
    #expect(throws: JSONError(problem: #"expected every key once, found "b" twice"#, offset: 14, line: 2)) {
      try JSONValue(parsing: "{\"b\": 1,\n     \"b\": 2}", rejectingDuplicateKeys: true)
    }
  }

  @Test func decodesEscapes() throws {
    let value = try JSONValue(parsing: #""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀""#)
    #expect(value == .string("\"\\/\u{8}\u{C}\n\r\té😀é😀"))
  }

  @Test func integersBeyondIntBecomeNumbers() throws {
    #expect(try JSONValue(parsing: "9223372036854775807") == .integer(.max))
    #expect(try JSONValue(parsing: "-9223372036854775808") == .integer(.min))
    #expect(try JSONValue(parsing: "9223372036854775808") == .number(0x1p63))
    #expect(try JSONValue(parsing: "1e2") == .number(100))
  }

  @Test func acceptsNonFiniteTokensWhenAsked() throws {
    let text = #"[NaN, Infinity, -Infinity, 1e999]"#
    let values = try #require(try JSONValue(parsing: text, allowingNonFinite: true).array)
    #expect(values[0].double?.isNaN == true)
    #expect(values.dropFirst() == [.number(.infinity), .number(-.infinity), .number(.infinity)])
    #expect(throws: JSONError(problem: "expected a finite number, found NaN", offset: 1, line: 1)) {
      try JSONValue(parsing: text)
    }
  }

  @Test(arguments: [
    ("", "expected a value, found the end of the text", 0),
    ("[1,]", "expected a value, found ']'", 3),
    ("[1 2]", "expected ',' or ']', found '2'", 3),
    (#"{"a" 1}"#, "expected ':' after the key, found '1'", 5),
    (#"{"a":1,}"#, "expected a key in quotes, found '}'", 7),
    (#"{"a":1"#, "expected ',' or '}', found the end of the text", 6),
    ("{a:1}", "expected a key in quotes, found 'a'", 1),
    ("01", "expected the end of the text, found '1'", 1),
    ("1.", "expected a digit, found the end of the text", 2),
    ("-", "expected a digit, found the end of the text", 1),
    ("1e+", "expected a digit, found the end of the text", 3),
    ("+1", "expected a value, found '+'", 0),
    ("-Infinity", "expected a finite number, found -Infinity", 0),
    ("1e999", "expected a number within the range of Float64, found one beyond it", 0),
    ("nul", "expected a value, found 'n'", 0),
    ("\"a", "expected '\"' at the end of a string, found the end of the text", 2),
    ("\"a\u{1}\"", "expected '\"' at the end of a string, found byte 0x01", 2),
    (#""\x""#, "expected an escape sequence, found 'x'", 2),
    (#""\u12g4""#, "expected four hexadecimal digits, found 'g'", 5),
    (#""\ud800""#, "expected a pair of surrogates, found a single one", 3),
    (#""\ud800\u0041""#, "expected a pair of surrogates, found a single one", 3),
    (#""\udc00""#, "expected a pair of surrogates, found a single one", 3),
    ("{} {}", "expected the end of the text, found '{'", 3),
  ])
  func saysWhereATextIsWrong(text: String, problem: String, offset: Int) {
    #expect(throws: JSONError(problem: problem, offset: offset, line: 1)) { try JSONValue(parsing: text) }
  }

  @Test(
    arguments: [
      ([0x22, 0xFF, 0x22], 1), ([0x22, 0xC0, 0x80, 0x22], 1), ([0x22, 0xED, 0xA0, 0x80, 0x22], 1),
      ([0x22, 0xE2, 0x82], 1),
    ] as [([UInt8], Int)])
  func rejectsWhatIsNotUTF8(bytes: [UInt8], offset: Int) {
    #expect(throws: JSONError(problem: "expected UTF-8, found bytes that are not", offset: offset, line: 1)) {
      try JSONValue(parsing: bytes)
    }
  }

  @Test func limitsNesting() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try JSONValue(parsing: nested(128)) }
    #expect(throws: JSONError(problem: "expected at most 128 levels of nesting, found more", offset: 128, line: 1)) {
      try JSONValue(parsing: nested(129))
    }
    #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: #"{"a":"#, count: 1_000_000)) }
  }

  @Test func namesTheFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("config.json", "{\n  \"r\": 8,\n}")
    let error = #expect(throws: FileError.self) { try JSONValue(contentsOf: path) }
    #expect(
      error?.description == "\(path): invalid JSON at line 3, byte 12: expected a key in quotes, found '}'")
    let pointer = try folder.write("pointer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    let pointerError = #expect(throws: FileError.self) { try JSONValue(contentsOf: pointer) }
    #expect(
      pointerError?.description
        == "\(pointer): expected JSON, found a Git LFS pointer. Fetch the file itself with: git lfs pull")
    #expect(throws: FileError.self) { try JSONValue(contentsOf: folder.path("none.json")) }
  }
}

@Suite struct JSONWriterTests {
  private let sample: JSONValue = [
    "name": "x\"\\\n\r\t\u{1}\u{1F}é😀", "empty": [:], "none": [],
    "values": [1, 0.1, 1e-7, .number(.leastNonzeroMagnitude), 1e300, true, nil],
    "inner": ["a": ["b": -0.0]],
  ]

  @Test func compactText() {
    #expect(
      sample.text() == #"{"name":"x\"\\\n\r\t\u0001\u001fé😀","empty":{},"none":[],"#
        + #""values":[1,0.1,1e-07,5e-324,1e+300,true,null],"inner":{"a":{"b":-0.0}}}"#)
  }

  @Test func prettyText() {
    let value: JSONValue = ["r": 8, "targets": ["q", "k"], "none": [], "inner": ["a": nil]]
    #expect(
      value.text(pretty: true) == """
        {
          "r": 8,
          "targets": [
            "q",
            "k"
          ],
          "none": [],
          "inner": {
            "a": null
          }
        }
        """)
  }

  @Test(arguments: [true, false])
  func readsBackEqual(pretty: Bool) throws {
    #expect(try JSONValue(parsing: sample.text(pretty: pretty)) == sample)
  }

  @Test func doublesReadBackExactly() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      let read = try JSONValue(parsing: JSONValue.number(value).text())
      #expect(read == .number(value) && read.double?.sign == value.sign)
    }
  }

  @Test func nonFiniteNumbersBecomeNull() {
    #expect(JSONValue.array([.number(.nan), .number(.infinity), .number(-.infinity)]).text() == "[null,null,null]")
  }
}
