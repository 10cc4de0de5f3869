// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/transport.hpp>

#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <manager/frame.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace coproc::detail {

bool transport::send_descriptors(std::span<const int>) {
    throw serialization_error{
        "coproc: a handle of this machine cannot be sent to a manager of another one"};
}

std::vector<os::unique_fd> transport::take_descriptors(std::size_t count) {
    if (count != 0) throw protocol_error{"coproc: a message came without its descriptors"};
    return {};
}

bool transport::arm(bool, bool) { return false; }

bool wait_for(const transport& on, std::optional<std::chrono::nanoseconds> timeout, bool for_room,
              int other) noexcept {
    const bool has_bell = on.bell() >= 0;
    const bool write = !has_bell && (for_room || on.wants_to_write());
    std::array<pollfd, 3> entries{
        {{on.socket(), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0},
         {on.bell(), POLLIN, 0}, // negative ones are skipped
         {other, POLLIN, 0}}};
    timespec limit{};
    if (timeout) limit = os::to_timespec(*timeout);
    const int n = ::ppoll(entries.data(), entries.size(), timeout ? &limit : nullptr, nullptr);
    return n != 0;
}

namespace {

/// Descriptors that came on a Unix socket, in order. The kernel delivers those of one message at a
/// time.
class received_descriptors {
public:
    void add(const msghdr& message) {
        arrival next{{}, (message.msg_flags & MSG_CTRUNC) != 0};
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
             header = CMSG_NXTHDR(const_cast<msghdr*>(&message), header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i != count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
                next.descriptors.emplace_back(fd);
            }
        }
        if (next.descriptors.empty() && !next.cut) return;
        waiting_.push_back(std::move(next));
        // They may be ahead of the messages in a ring that they belong to.
        if (waiting_.size() > most_waiting)
            throw protocol_error{"coproc: a manager's peer sends descriptors that nobody expects"};
    }
    std::vector<os::unique_fd> take(std::size_t count) {
        if (waiting_.empty()) throw protocol_error{"coproc: a descriptor of a message is missing"};
        arrival next = std::move(waiting_.front());
        waiting_.pop_front();
        if (next.cut)
            throw serialization_error{
                "coproc: descriptors of a message were lost: this process has too many open files"};
        if (next.descriptors.size() != count)
            throw protocol_error{"coproc: a message came with other descriptors than it names"};
        return std::move(next.descriptors);
    }
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

private:
    struct arrival {
        std::vector<os::unique_fd> descriptors;
        bool cut; // some were lost
    };
    static constexpr std::size_t most_waiting = 8192;

    std::deque<arrival> waiting_;
};

transport::progress receive(int socket, std::span<std::byte> into, received_descriptors* with) {
    iovec part{into.data(), into.size()};
    alignas(cmsghdr) std::byte ancillary[CMSG_SPACE(253 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (with != nullptr) {
        message.msg_control = ancillary;
        message.msg_controllen = sizeof ancillary;
    }
    const ssize_t n =
        os::retry([&] { return ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    if (n < 0) return {0, errno != EAGAIN && errno != EWOULDBLOCK};
    if (with != nullptr && (message.msg_controllen != 0 || (message.msg_flags & MSG_CTRUNC) != 0))
        with->add(message);
    return {static_cast<std::size_t>(n), n == 0};
}

transport::progress transmit(int socket, std::span<const std::byte> from,
                             std::span<const int> descriptors) {
    iovec part{const_cast<std::byte*>(from.data()), from.size()};
    alignas(cmsghdr) std::byte ancillary[CMSG_SPACE(transport::most_descriptors * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = ancillary;
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        std::memset(ancillary, 0, message.msg_controllen);
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t n =
        os::retry([&] { return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
    if (n < 0) return {0, errno != EAGAIN && errno != EWOULDBLOCK};
    return {static_cast<std::size_t>(n), false};
}

class socket_transport : public transport {
public:
    socket_transport(os::unique_fd socket, bool local)
        : transport{std::move(socket)}, local_{local} {}

    progress read(std::span<std::byte> into) override {
        return receive(socket(), into, local_ ? &arrived_ : nullptr);
    }
    progress write(std::span<const std::byte> from) override {
        const progress done = transmit(socket(), from, outgoing_);
        if (done.bytes != 0) outgoing_.clear();
        return done;
    }
    [[nodiscard]] bool carries_descriptors() const noexcept override { return local_; }
    /// They go with the next bytes.
    bool send_descriptors(std::span<const int> descriptors) override {
        if (!local_) return transport::send_descriptors(descriptors);
        outgoing_.assign(descriptors.begin(), descriptors.end());
        return true;
    }
    std::vector<os::unique_fd> take_descriptors(std::size_t count) override {
        return arrived_.take(count);
    }

    os::unique_fd give_up() noexcept { return std::move(socket_); }

private:
    bool local_;
    std::vector<int> outgoing_;
    received_descriptors arrived_;
};

// --- rings ---------------------------------------------------------------------------------------

constexpr std::size_t ring_size = 256 * 1024;

struct alignas(64) ring_control {
    alignas(64) std::atomic<std::uint64_t> tail{0}; // written up to here
    alignas(64) std::atomic<std::uint64_t> head{0}; // read up to here
    alignas(64) std::atomic<std::uint32_t> reader_sleeps{0};
    std::atomic<std::uint32_t> writer_sleeps{0};
};
struct rings_control {
    ring_control up;   // client to server
    ring_control down; // server to client
};
constexpr std::size_t rings_offset = 4096;
static_assert(sizeof(rings_control) <= rings_offset);

/// A stream of bytes from one process to another. What the other side writes into the control block
/// is checked: it can garble its own bytes, and nothing else.
class ring_transport final : public transport {
public:
    ring_transport(os::unique_fd socket, ring_descriptors rings, bool server)
        : transport{std::move(socket)},
          own_bell_{std::move(server ? rings.server_bell : rings.client_bell)},
          peer_bell_{std::move(server ? rings.client_bell : rings.server_bell)} {
        const std::size_t size = rings_offset + 2 * ring_size;
        if (os::sealed_size(rings.memory.get()) < size)
            throw protocol_error{"coproc: a manager offers too little memory"};
        memory_ = os::mapping{rings.memory.get(), 0, size};
        auto* const control = reinterpret_cast<rings_control*>(memory_.data());
        in_ = server ? &control->up : &control->down;
        out_ = server ? &control->down : &control->up;
        std::byte* const up = memory_.data() + rings_offset;
        in_data_ = server ? up : up + ring_size;
        out_data_ = server ? up + ring_size : up;
    }

    progress read(std::span<std::byte> into) override {
        const std::uint64_t tail = in_->tail.load(std::memory_order_acquire);
        const std::uint64_t there = tail - head_;
        if (there == 0) return {0, false};
        if (there > ring_size)
            throw protocol_error{"coproc: the memory shared with a manager is damaged"};
        const auto n = std::min(into.size(), static_cast<std::size_t>(there));
        const auto at = static_cast<std::size_t>(head_ % ring_size);
        const std::size_t first = std::min(n, ring_size - at);
        std::memcpy(into.data(), in_data_ + at, first);
        std::memcpy(into.data() + first, in_data_, n - first);
        head_ += n;
        in_->head.store(head_, std::memory_order_seq_cst);
        wake(in_->writer_sleeps);
        return {n, false};
    }
    progress write(std::span<const std::byte> from) override {
        std::size_t room = space();
        if (room == 0) return {0, false};
        const std::size_t n = std::min(from.size(), room);
        const auto at = static_cast<std::size_t>(tail_ % ring_size);
        const std::size_t first = std::min(n, ring_size - at);
        std::memcpy(out_data_ + at, from.data(), first);
        std::memcpy(out_data_, from.data() + first, n - first);
        tail_ += n;
        out_->tail.store(tail_, std::memory_order_seq_cst);
        wake(out_->reader_sleeps);
        return {n, false};
    }

    [[nodiscard]] bool carries_descriptors() const noexcept override { return true; }
    bool send_descriptors(std::span<const int> descriptors) override {
        static constexpr std::byte mark{};
        return transmit(socket(), {&mark, 1}, descriptors).bytes == 1;
    }
    std::vector<os::unique_fd> take_descriptors(std::size_t count) override {
        if (arrived_.empty()) {
            std::byte mark[64];
            receive(socket(), mark, &arrived_);
        }
        return arrived_.take(count);
    }

    bool peer_gone() override {
        for (;;) {
            std::byte marks[64];
            const progress got = receive(socket(), marks, &arrived_);
            if (got.end) return true;
            if (got.bytes == 0) return false;
        }
    }

    [[nodiscard]] int bell() const noexcept override { return own_bell_.get(); }
    [[nodiscard]] bool spins() const noexcept override { return true; }
    [[nodiscard]] bool ready() const noexcept override {
        return in_->tail.load(std::memory_order_acquire) != head_;
    }
    [[nodiscard]] bool arm(bool for_bytes, bool for_room) override {
        if (for_bytes) in_->reader_sleeps.store(1, std::memory_order_seq_cst);
        if (for_room) out_->writer_sleeps.store(1, std::memory_order_seq_cst);
        const bool bytes = for_bytes && in_->tail.load(std::memory_order_seq_cst) != head_;
        if (!bytes && !(for_room && space() != 0)) return false;
        disarm();
        return true;
    }
    void disarm() noexcept override {
        in_->reader_sleeps.store(0, std::memory_order_relaxed);
        out_->writer_sleeps.store(0, std::memory_order_relaxed);
    }
    void quiet() noexcept override { os::quiet(own_bell_.get()); }

private:
    [[nodiscard]] std::size_t space() const {
        const std::uint64_t used = tail_ - out_->head.load(std::memory_order_seq_cst);
        if (used > ring_size)
            throw protocol_error{"coproc: the memory shared with a manager is damaged"};
        return static_cast<std::size_t>(ring_size - used);
    }
    void wake(std::atomic<std::uint32_t>& sleeper) noexcept {
        if (sleeper.load(std::memory_order_seq_cst) != 0 &&
            sleeper.exchange(0, std::memory_order_seq_cst) != 0)
            os::ring(peer_bell_.get());
    }

    os::unique_fd own_bell_;
    os::unique_fd peer_bell_;
    os::mapping memory_;
    ring_control* in_;
    ring_control* out_;
    const std::byte* in_data_;
    std::byte* out_data_;
    std::uint64_t head_ = 0; // ours: never read back
    std::uint64_t tail_ = 0;
    received_descriptors arrived_;
};

} // namespace

std::unique_ptr<transport> make_socket_transport(os::unique_fd socket, bool local) {
    return std::make_unique<socket_transport>(std::move(socket), local);
}

ring_descriptors make_rings() {
    return {os::make_memfd("coproc-manager", rings_offset + 2 * ring_size), os::make_eventfd(),
            os::make_eventfd()};
}

std::unique_ptr<transport> make_ring_transport(std::unique_ptr<transport> from,
                                               ring_descriptors rings, bool server) {
    auto& plain = dynamic_cast<socket_transport&>(*from);
    return std::make_unique<ring_transport>(plain.give_up(), std::move(rings), server);
}

} // namespace coproc::detail
