# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# Builds and runs the consumers' programs as a Makefile would:
#   c++ -std=c++20 program.cpp $(pkg-config --cflags --libs coproc)

set(ENV{PKG_CONFIG_PATH} ${PC_DIR})
set(ENV{LD_LIBRARY_PATH} ${LIB_DIR})
file(MAKE_DIRECTORY ${BINARY_DIR})
set(sources ${CMAKE_CURRENT_LIST_DIR}/..)

function(ask_pkg_config result)
    execute_process(COMMAND ${PKG_CONFIG} ${ARGN} coproc
        OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(answer UNIX_COMMAND "${answer}")
    set(${result} ${answer} PARENT_SCOPE)
endfunction()

function(build_and_run name expected)
    execute_process(COMMAND ${CXX} -std=c++20 -Wall -Wextra -Werror ${ARGN} -o ${BINARY_DIR}/${name}
        COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${BINARY_DIR}/${name}
        TIMEOUT 30 OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
    if(NOT output MATCHES "${expected}")
        message(FATAL_ERROR "${name} printed: ${output}")
    endif()
endfunction()

ask_pkg_config(flags --cflags --libs)
build_and_run(program "^1 4 9 16 \n$" ${sources}/program.cpp ${flags})

ask_pkg_config(static_flags --cflags --libs --static)
ask_pkg_config(main --variable=main)
build_and_run(guarded "^42\n$"
    ${sources}/guarded.cpp ${main} ${static_flags} -Wl,--wrap=main)
