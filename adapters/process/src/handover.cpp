// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/handover.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

os::unique_fd take(int fd) {
    // A number that is not a descriptor means that somebody made the text up.
    if (fd < 3 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return os::unique_fd{};
    return os::unique_fd{fd};
}

} // namespace

std::string handover_text(role as, int memory, int socket, int bell, int parent,
                          const std::string& name) {
    std::string text = handover_variable;
    text += '=';
    text.append(handover_pid_digits, '0');
    text += ' ';
    text += static_cast<char>(as);
    for (const int fd : {memory, socket, bell, parent})
        text += ' ' + std::to_string(fd);
    return text + ' ' + name;
}

char* handover_pid_slot(char* text) noexcept { return text + std::strlen(handover_variable) + 1; }

std::optional<handover> take_handover() {
    const char* const text = std::getenv(handover_variable);
    if (text == nullptr) return std::nullopt;
    int pid = 0;
    char as = 0;
    int fds[4] = {-1, -1, -1, -1};
    int read = 0;
    const int fields = std::sscanf(text, "%d %c %d %d %d %d %n", &pid, &as, &fds[0], &fds[1],
                                   &fds[2], &fds[3], &read);
    handover result;
    if (fields == 6) result.name = text + read;
    ::unsetenv(handover_variable);
    if (fields != 6 || pid != ::getpid()) return std::nullopt; // meant for an ancestor
    result.as = as == static_cast<char>(role::forkserver) ? role::forkserver : role::worker;
    result.channel.memory = take(fds[0]);
    result.channel.socket = take(fds[1]);
    result.channel.bell = take(fds[2]);
    result.parent = take(fds[3]);
    const bool complete =
        result.channel.socket && result.parent &&
        (result.as == role::forkserver || (result.channel.memory && result.channel.bell));
    if (!complete) return std::nullopt;
    return result;
}

} // namespace coproc::detail
