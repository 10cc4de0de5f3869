// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The way of what a worker prints when its lines are to carry its name: the worker and whatever it
// starts write into two pipes, a thread of the program's (one for all workers) reads them and
// writes tagged lines to the program's own stdout and stderr. Pipes hold what is written at any
// instruction, so the last words of a worker that dies are not lost. Should the program's stdout
// be stuck, the thread waits, and the workers when their pipes are full, as without tags; the
// reactor does not.

#include <os/unique_fd.hpp>
#include <src/line_tagger.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <string>

namespace coproc::detail {

class tagged_output : public std::enable_shared_from_this<tagged_output> {
public:
    /// Throws std::system_error.
    explicit tagged_output(const std::string& name);
    tagged_output(const tagged_output&) = delete;
    tagged_output& operator=(const tagged_output&) = delete;
    ~tagged_output();

    /// What the worker gets in place of stdout and stderr; until start().
    [[nodiscard]] int child_stdout() const noexcept { return out_.child_end.get(); }
    [[nodiscard]] int child_stderr() const noexcept { return err_.child_end.get(); }

    /// The worker has its ends: begins to pass on what comes.
    void start();

    /// For after the worker's end: calls `then` (on a thread of the library) when all that it wrote
    /// has been passed on.
    void when_passed_on(std::function<void()> then);

private:
    struct stream {
        stream(const std::string& name, int to);
        stream(const stream&) = delete;
        stream& operator=(const stream&) = delete;
        ~stream();

        os::unique_fd child_end;
        boost::asio::posix::stream_descriptor from;
        int to;
        line_tagger lines;
    };

    void wait(stream& s);
    /// False at the end.
    bool pass_on(stream& s, std::size_t at_most);
    void pass_on_rest(stream& s);

    // The thread's, once started.
    stream out_;
    stream err_;
};

} // namespace coproc::detail
