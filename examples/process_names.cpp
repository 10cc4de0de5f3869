// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Names: of the program, of its processes and of theirs. They show in ps and in error messages.

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

void introduce() {
    std::cout << mp::current_process().name() + ", started by " + mp::parent_process()->name() +
                     '\n';
}

void start_one_more() {
    introduce();
    mp::process child{introduce};
    child.start();
    child.join();
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    std::cout << "this is " << mp::current_process().name() << std::endl;

    mp::process unnamed{introduce};
    mp::process named{{.name = "loader"}, introduce};
    mp::process parent{start_one_more};
    parent.name("parent");
    for (auto* p : {&unnamed, &named, &parent}) {
        p->start();
        p->join();
    }
}
