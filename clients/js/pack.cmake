# Makes of tidings.js what is served and published:
#
#   tidings.js         without comments and indentation
#   tidings.global.js  the same as a classic script: a global `tidings`
#
#   cmake -DTO=folder -P pack.cmake      both, and tidings.d.ts, into a folder
#   cmake -P pack.cmake                  only the classic script, beside its source
#
# No more than that: a comment is a line that begins with // or what stands
# between /* and */ at the beginning of a line.

cmake_minimum_required(VERSION 3.20)

set(here ${CMAKE_CURRENT_LIST_DIR})
file(READ ${here}/tidings.js source)

string(REGEX REPLACE "(^|\n)[ \t]*/\\*([^*]|\\*+[^*/])*\\*+/" "\\1" source
    "${source}")
string(REGEX REPLACE "\n[ \t]*//[^\n]*" "\n" source "${source}")
string(REGEX REPLACE "\n[ \t\n]+" "\n" source "${source}")
string(REGEX REPLACE "^\n" "" source "${source}")

string(REGEX REPLACE "(^|\n)export " "\\1" classic "${source}")
string(CONCAT classic "(() => {'use strict';\n" "${classic}"
    "globalThis.tidings = tidings;\n})();\n")

if(NOT DEFINED TO)
    file(WRITE ${here}/tidings.global.js "${classic}")
    return()
endif()
file(WRITE ${TO}/tidings.js "${source}")
file(WRITE ${TO}/tidings.global.js "${classic}")
configure_file(${here}/tidings.d.ts ${TO}/tidings.d.ts COPYONLY)
