// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#include "results.hpp"

#include <boost/describe/class.hpp>
#include <boost/json/src.hpp> // the library itself: there is nothing to link

#include <ostream>

namespace demo {

// Described once, written by Boost.JSON.
BOOST_DESCRIBE_STRUCT(timing, (), (runner, seconds, speedup))
BOOST_DESCRIBE_STRUCT(contest, (), (name, answer, same_answers, timings))
BOOST_DESCRIBE_STRUCT(outcome, (), (runner, program_survived, results, tasks, what))
BOOST_DESCRIBE_STRUCT(accident, (), (name, outcomes))
BOOST_DESCRIBE_STRUCT(overhead, (), (runner, start_seconds, call_seconds))
BOOST_DESCRIBE_STRUCT(report, (), (cpus, workers, quick, overheads, contests, accidents))

void write_json(const report& results, std::ostream& out) {
    out << boost::json::value_from(results) << '\n';
}

} // namespace demo
