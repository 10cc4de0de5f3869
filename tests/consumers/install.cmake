# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DBUILD=<build tree> -DPREFIX=<directory> -P install.cmake: what lay there before is removed.

file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}
    COMMAND_ERROR_IS_FATAL ANY)
