# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# Runs one program of the documentation: it must exit with 0 and print what the page says it prints.
execute_process(COMMAND ${PROGRAM} ${NAME}
    OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
message("${output}${errors}")
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The program ended with ${result}.")
endif()
if(EXISTS "${OUTPUT}")
    file(READ "${OUTPUT}" expected)
    string(REGEX REPLACE " +\n" "\n" output "${output}")
    if(NOT "${output}" STREQUAL "${expected}")
        message(FATAL_ERROR "The page says:\n${expected}")
    endif()
endif()
