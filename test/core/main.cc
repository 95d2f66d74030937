// Runs every suite that is linked with this file, with doctest, and prints one line per suite for run.js:
//   suite <name> <passed> <failed> <seconds>
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "stress.h"

namespace {

class SuiteReporter : public doctest::IReporter {
 public:
  explicit SuiteReporter(const doctest::ContextOptions&) {}

  void test_case_start(const doctest::TestCaseData& test) override {
    // The tests of a suite follow each other, because they are in one file.
    if (test.m_test_suite != suite_) {
      print();
      suite_ = test.m_test_suite;
      started_ = std::chrono::steady_clock::now();
    }
  }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    ++(stats.failure_flags == 0 ? passed_ : failed_);
  }
  void test_run_end(const doctest::TestRunStats&) override { print(); }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  void print() {
    if (passed_ + failed_ == 0) return;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_;
    std::printf("suite %s %d %d %.2f\n", suite_.c_str(), passed_, failed_, took.count());
    std::fflush(stdout);
    passed_ = failed_ = 0;
  }

  std::string suite_;
  std::chrono::steady_clock::time_point started_;
  int passed_ = 0;
  int failed_ = 0;
};
REGISTER_LISTENER("suites", 1, SuiteReporter);

}  // namespace

int main(int count, char** arguments) {
  std::printf("SLUICE_SEED=%llu\n", static_cast<unsigned long long>(sluice::test::run_seed()));
  std::fflush(stdout);
  return doctest::Context(count, arguments).run();
}
