// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// How bytes go between a client and a server: through a socket, through TLS on one, or, on the same
// machine, through two rings in shared memory beside a Unix socket. Never blocks, knows no event
// loop: it says which descriptors to wait for.
//
// One thread at a time reads and one at a time writes, except with TLS, which has a lock.

#include <os/memfd.hpp>
#include <os/unique_fd.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coproc::detail {

class transport {
public:
    /// Descriptors per message; the kernel takes 253.
    static constexpr std::size_t most_descriptors = 250;

    /// Bytes done; 0: would block.
    struct progress {
        std::size_t bytes = 0;
        bool end = false; ///< the peer is gone
    };

    virtual ~transport() = default;

    virtual progress read(std::span<std::byte> into) = 0;
    virtual progress write(std::span<const std::byte> from) = 0;

    [[nodiscard]] virtual bool carries_descriptors() const noexcept { return false; }
    /// Before the bytes of the message they belong to. False: would block.
    virtual bool send_descriptors(std::span<const int> descriptors);
    /// Those of the next message that has any. Throws serialization_error when there were too many
    /// for this process to open: a matter of that message alone.
    virtual std::vector<os::unique_fd> take_descriptors(std::size_t count);

    /// To wait for. A ring has a bell beside its socket: it is rung for a sleeper, whatever he
    /// waits for.
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] virtual int bell() const noexcept { return -1; }
    /// The socket is to be waited for with POLLOUT, too: something could not be written.
    [[nodiscard]] virtual bool wants_to_write() const noexcept { return false; }
    /// Announces a sleeper. True: do not sleep, what it would wait for is there.
    [[nodiscard]] virtual bool arm(bool for_bytes, bool for_room);
    /// The sleeper is awake; cheap.
    virtual void disarm() noexcept {}
    /// Silences the bell.
    virtual void quiet() noexcept {}
    /// To be asked when the socket of a ring became readable; elsewhere read() tells.
    [[nodiscard]] virtual bool peer_gone() { return false; }
    /// Looking for bytes costs no system call.
    [[nodiscard]] virtual bool spins() const noexcept { return false; }
    /// Whether bytes are there (with a socket: not known).
    [[nodiscard]] virtual bool ready() const noexcept { return false; }

protected:
    explicit transport(os::unique_fd socket) noexcept : socket_{std::move(socket)} {}

    os::unique_fd socket_;
};

/// A stream socket, also a Unix one, which carries descriptors.
std::unique_ptr<transport> make_socket_transport(os::unique_fd socket, bool local);

/// The same socket, with rings beside it: the server makes them and sends the descriptors.
struct ring_descriptors {
    os::unique_fd memory;
    os::unique_fd server_bell;
    os::unique_fd client_bell;
};
ring_descriptors make_rings();
/// Takes the socket out of `from`, which must have nothing unread or unwritten.
std::unique_ptr<transport> make_ring_transport(std::unique_ptr<transport> from,
                                               ring_descriptors rings, bool server);

struct tls_files {
    std::string certificate{};
    std::string private_key{};
    std::string authorities{};
    std::string host{};       // the client checks the certificate for this name
    bool verify_peer = false; // the other side must have a certificate of the authorities
};
class tls_context;
std::shared_ptr<tls_context> make_tls_context(const tls_files& files, bool server);

/// TLS needs a few turns of read() before bytes come; secured() says when.
class tls_transport : public transport {
public:
    [[nodiscard]] virtual bool secured() const noexcept = 0;
    /// Key material of this connection, the same on both sides.
    [[nodiscard]] virtual std::string binding() const = 0;

protected:
    using transport::transport;
};
std::unique_ptr<tls_transport> make_tls_transport(os::unique_fd socket,
                                                  std::shared_ptr<tls_context> context);

/// Waits for the transport; arms nothing. False: the time is up.
bool wait_for(const transport& on, std::optional<std::chrono::nanoseconds> timeout, bool for_room,
              int other = -1) noexcept;

} // namespace coproc::detail
