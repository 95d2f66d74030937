// Explores the interleavings of a scenario. The main() of each model calls explore() for each of its scenarios.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "relacy_atomics.h"

namespace sluice::model {

inline unsigned long executions_wanted(int count, char** arguments) {
  return count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 100'000;
}

// Does what rl::simulate() does, for one scheduler only. This takes half the time to compile.
template <class Scenario>
rl::test_result_e run(rl::test_params& params, bool again) {
  rl::ostringstream state;
  return rl::run_test<Scenario, rl::random_scheduler<Scenario::params::thread_count>>(params, state, again);
}

template <class Scenario>
void explore(const char* name, unsigned long executions) {
  std::ostringstream history;  // filled by the second run only
  rl::test_params params;
  params.iteration_count = executions;
  params.output_stream = &history;
  params.progress_stream = &history;
  params.execution_depth_limit = 4000;
  const rl::test_result_e result = run<Scenario>(params, false);
  if (result == rl::test_result_success) {
    std::printf("model: ok      %s: %lu executions\n", name, executions);
    std::fflush(stdout);
    return;
  }
  std::printf("model: DEFECT  %s: %s in execution %lu\n", name, rl::test_result_str(result),
              static_cast<unsigned long>(params.stop_iteration));
  std::fflush(stdout);
  if (std::getenv("SLUICE_MODEL_HISTORY") != nullptr) {
    params.initial_state = std::to_string(params.stop_iteration).c_str();
    params.collect_history = true;
    run<Scenario>(params, true);
    std::cout << history.str() << std::endl;
  }
  std::exit(3);
}

}  // namespace sluice::model
