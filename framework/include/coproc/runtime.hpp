// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace coproc {

/// The first line of main in a program that uses worker processes:
///
///     int main(int argc, char** argv) {
///         coproc::runtime runtime{argc, argv};   // in a worker process this never returns
///         ...
///     }
///
/// A worker process is this same program, started once more. In it the constructor does the
/// worker's work and exits the process in the end; anywhere else it does next to nothing. What
/// stands before the line, and what static objects do, happens in every worker too. Without the
/// line the first pool fails with a `bootstrap_error` that says so. Programs whose main comes from
/// elsewhere (Catch2, GoogleTest) link `coproc::main` instead; having both is harmless.
///
/// Workers find the library by themselves: arguments and environment are left alone, in workers the
/// library's own environment variable is removed again.
class runtime {
public:
    /// Returns at once, except in a worker process. The arguments are main's; they are looked at
    /// for the place where `ps` finds a process's title, and left alone.
    runtime(int argc, char** argv);
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;
};

} // namespace coproc
