// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How worker processes come to be: for all pools of a program, or for one pool.

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>

namespace mp = coproc; // on threads, where this means nothing: namespace mp = coproc::dummy;

std::string setting = "as compiled";

std::string look() { return setting; }

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    setting = "as changed in main";

    // spawn: the program is started once more, so nothing of this process is there. The default.
    // forkserver: workers are forked from a small server that was spawned at first; the same, but
    // faster. fork: a copy of this process, with all that stands in its memory; not for programs
    // with threads
    //       that hold locks.
    for (auto method :
         {mp::start_method::spawn, mp::start_method::forkserver, mp::start_method::fork}) {
        mp::pool pool{mp::pool_options{.workers = 2, .start = method}};
        std::cout << mp::to_string(method) << ": " << pool.apply(look) << '\n';
    }

    mp::set_start_method(mp::start_method::forkserver); // from here on, for pools that do not say
    mp::pool pool{2};
    std::cout << "by default now " << mp::to_string(mp::get_start_method()) << ": "
              << pool.apply(look) << '\n';
}
