// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What came out, for the screen's table and for the file that --json names.

#include <iosfwd>
#include <string>
#include <vector>

namespace demo {

struct timing {
    std::string runner = {}; // "serial", "threads", "processes"
    double seconds = 0;      // the best of its rounds
    double speedup = 1;      // against the serial run
};

struct contest {
    std::string name = {};
    std::string answer = {};
    bool same_answers = true; // all runners came to the same
    std::vector<timing> timings = {};
};

struct outcome {
    std::string runner = {};
    bool program_survived = false;
    int results = 0; // how many of the tasks gave one
    int tasks = 0;
    std::string what = {};
};

struct accident {
    std::string name = {};
    std::vector<outcome> outcomes = {};
};

struct overhead {
    std::string runner = {};
    double start_seconds = 0; // from making the pool to its first result
    double call_seconds = 0;  // an empty call, there and back
};

struct report {
    unsigned cpus = 0;
    unsigned workers = 0;
    bool quick = false;
    std::vector<overhead> overheads = {};
    std::vector<contest> contests = {};
    std::vector<accident> accidents = {};
};

void write_json(const report& results, std::ostream& out);

} // namespace demo
