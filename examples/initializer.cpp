// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a worker needs for all of its tasks is loaded once per worker, not once per task.

#include <coproc/coproc.hpp>

#include <iostream>
#include <map>
#include <string>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

// Every worker process has its own. (On threads it would be shared, so there it is one per thread.)
thread_local std::map<std::string, std::string> dictionary;
thread_local int loads = 0;

void load(const std::string& language) {
    ++loads;
    if (language == "de")
        dictionary = {{"house", "Haus"}, {"tree", "Baum"}};
    else
        dictionary = {{"house", "maison"}, {"tree", "arbre"}};
}

std::string translate(const std::string& word) {
    return dictionary.at(word) + " (loads in this worker: " + std::to_string(loads) + ")";
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    mp::pool german{mp::pool_options{.workers = 2, .initializer = mp::job{load, "de"}}};
    mp::pool french{mp::pool_options{.workers = 2, .initializer = mp::job{load, "fr"}}};

    for (const std::string& word : german.map(translate, {"house", "tree", "house"}))
        std::cout << word << '\n';
    std::cout << french.apply(translate, "tree") << '\n';
}
