// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The class behind server.hpp. One thread at a time leads (see baton.hpp) and does everything: it
// looks at the rings of the clients that are at work, waits for all the others, and has
// `hosted_objects` deal with what they ask for. A call on an object of a user's class may cost it
// the lead. After whatever may have come to such a call baton::lost() tells, and then nothing here
// is the thread's to touch any more.
//
// server.cpp: the loop, and what hosted_objects has it do. server_accept.cpp: how clients come in.
// server_sessions.cpp: what they send, and their end.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <manager/baton.hpp>
#include <manager/call_lanes.hpp>
#include <manager/frame_sender.hpp>
#include <manager/hosted.hpp>
#include <manager/server.hpp>
#include <manager/session.hpp>
#include <manager/user_call.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace coproc::detail {

class manager_server final : public std::enable_shared_from_this<manager_server>,
                             private hosted_effects {
public:
    manager_server(server_settings settings, os::unique_fd local, os::unique_fd remote);

    /// Until stop(), or until a client asks for it. Once.
    void serve();
    /// From any thread.
    void stop() { baton_.stop(); }

private:
    using clock = hosted_objects::clock;
    using descriptor = boost::asio::posix::stream_descriptor;

    /// So many times in a row one socket is read from or accepted on; then others have their turn.
    static constexpr int reads_in_a_row = 64;

    struct listener {
        listener(boost::asio::io_context& context, os::unique_fd on)
            : socket{std::move(on)}, wait{context, socket.get()}, pause{context} {}
        ~listener() { wait.release(); }
        listener(const listener&) = delete;
        listener& operator=(const listener&) = delete;

        os::unique_fd socket;
        descriptor wait;
        boost::asio::steady_timer pause;
    };

    // --- the loop --------------------------------------------------------------------------------
    void interrupt();
    void lead(bool taken_over);
    bool any_hot_ready();
    /// False: the lead is lost.
    bool serve_hot();
    void cool_down();
    bool run_one();
    bool poll_one();

    // --- accepting -------------------------------------------------------------------------------
    void accept_on(listener& on, bool local);
    /// False: there is no descriptor left for those that wait.
    bool accept_all(listener& on, bool local);
    void admit(os::unique_fd socket, bool local, pid_t peer);
    /// The end of the connection would come late, or never, if the client has forked meanwhile: the
    /// copy of its socket keeps it open.
    void watch_process(const session_ptr& s, pid_t peer);
    void wait_for_end(const session_ptr& s);
    /// For what is due next: a parked request, or a client that is to prove the key.
    void set_timer();

    // --- a session -------------------------------------------------------------------------------
    /// Reads what is there and writes what can be written. False: the lead is lost, and the session
    /// with it.
    bool serve_session(const session_ptr& s);
    /// All whole frames. False: the lead is lost.
    bool drain(const session_ptr& s);
    void handle(const session_ptr& s, frame& in);
    void greet(const session_ptr& s, const frame& in);
    /// A copy of the pointer: it may lie in a list that closing takes it off.
    void refuse_and_close(session_ptr s, const std::string& why);
    void close(const session_ptr& s);
    /// The socket of a ring carries descriptors, and its end is the session's.
    void look_for_end(const session_ptr& s);
    /// The client has gone: what it has sent counts all the same.
    void close_after_last_words(const session_ptr& s);

    // --- waiting for clients ---------------------------------------------------------------------
    void warm_up(const session_ptr& s);
    void wait(const session_ptr& s);
    void wait_for_bell(const session_ptr& s);

    // --- effects ---------------------------------------------------------------------------------
    void answer(client_id client, std::uint64_t request, hosted_answer&& what) override;
    void shut_down() override;
    void run(hosted_request&& request, std::shared_ptr<user_object> object, object_id lane_object,
             client_id lane_client) override;
    void run_now(pending_call&& call, call_lanes::lane in);
    void finish(pending_call& call, user_result result, call_lanes::lane in);

    server_settings settings_;
    boost::asio::io_context context_;
    std::shared_ptr<tls_context> tls_;
    std::unique_ptr<listener> local_;
    std::unique_ptr<listener> remote_;
    boost::asio::steady_timer timer_{context_};
    std::optional<clock::time_point> timer_at_;
    hosted_objects objects_;
    std::map<client_id, session_ptr> sessions_;
    std::deque<session_ptr> strangers_; // oldest first
    std::vector<session_ptr> hot_;
    session_ptr serving_;
    session_ptr ending_; // has gone, and its last words are being heard
    call_lanes lanes_;
    client_id next_client_ = 1;
    spin_budget spin_;
    std::uint64_t cold_since_ = 0;
    unsigned rounds_ = 0;
    baton baton_;
};

} // namespace coproc::detail
