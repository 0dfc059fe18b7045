import Diagnosis
import Testing

struct RunCourseTests {
  private func course(_ values: [Double], retention: Double? = 1) -> RunCourse? {
    RunCourse(
      accuracies: Series(values.enumerated().map { Series.Point(step: $0, value: $1) }), retention: retention)
  }

  @Test func aCollapseBeginsWhereTheFinalStretchDoes() throws {
    let course = try #require(self.course([0.4, 0.6, 0.2, 0.5, 0.29, 0.1, 0.0]))
    #expect(course.label == .collapsed && course.onset == 4 && course.shape == .riseThenDecay)
    #expect(course.start == 0.4 && course.peak == 0.6 && course.end == 0)
    // Never above the start: nothing rose.
    #expect(self.course([0.4, 0.1, 0.1])?.shape == .steady && self.course([0.4, 0.1, 0.1])?.onset == 1)
  }

  @Test func onlyACollapseHasAnOnset() {
    #expect(course([0.4, 0.6, 0.5])?.onset == nil && course([0.4, 0.6, 0.5])?.label == .damaged)
    #expect(course([0.4, 0.8], retention: 0.9)?.label == .damaged)
    #expect(course([]) == nil)
  }

  @Test func aDipThatRecoversIsClean() {
    let dip = course([0.4, 0.6, 0.41, 0.9])
    #expect(dip?.label == .clean && dip?.shape == .dipAndRecover)
    #expect(course([0.4, 0.6, 0.43, 0.9])?.shape == .steady)
    #expect(course([0.4, 0.41])?.label == .unlearned)
  }
}
