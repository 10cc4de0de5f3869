// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A call of an object in a manager's server process, there and back.

#include "measure.hpp"

#include <coproc/coproc.hpp>

namespace {

class counter {
public:
    int add(int n) { return sum_ += n; }

private:
    int sum_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    const int calls = arguments.count(20'000);
    const coproc::manager manager;
    if (arguments.wants("process.manager_call")) {
        const auto object = manager.make<counter>();
        measure::report("process.manager_call",
                        measure::median_of(5,
                                           [&] {
                                               return measure::timed([&] {
                                                          for (int i = 0; i < calls; ++i)
                                                              object.call(&counter::add, 1);
                                                      }) /
                                                      calls;
                                           }),
                        "ns");
    }
    if (arguments.wants("process.manager_dict_set")) {
        const auto dict = manager.dict<int, int>();
        measure::report("process.manager_dict_set",
                        measure::median_of(5,
                                           [&] {
                                               return measure::timed([&] {
                                                          for (int i = 0; i < calls; ++i)
                                                              dict.set(i % 100, i);
                                                      }) /
                                                      calls;
                                           }),
                        "ns");
    }
}
