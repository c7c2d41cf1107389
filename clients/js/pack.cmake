# Makes of tidings.js what is served and published:
#
#   tidings.js         small: without comments and blanks, with short names
#   tidings.global.js  the same as a classic script: a global `tidings`
#
#   cmake -DTO=folder -P pack.cmake      both, and tidings.d.ts, into a folder
#   cmake -P pack.cmake                  only the classic script, beside its source
#
# This is no parser. It relies on how the source is written: a comment is
# /* ... */, or begins with two slashes and a blank behind a blank; no string or pattern has a blank
# beside one of the signs below or a comment's begin in it; `#name` is a private member and nothing else; no
# block is empty. It fails if a string did not stay what it was; the tests run what comes out of it.

cmake_minimum_required(VERSION 3.20)

# Words of the source that no browser, no page and no server knows, and that stand
# in no string (alone in one they may). Frequent ones first: they get one letter.
set(own_words
    end link options url failure SECOND queue error isAfter isBack resolve silence resume
    socket isAll watch heard reached address left events GAP reject object rest
    MINUTE list mode LONGEST_WAIT timeOf isSilent lasted names query response
    source BETTER QUEUE TRANSPORTS AS_OBJECTS timersOf socketOf eventOf isRefusal
    isEarly isOurs isWhole retry clean kept spread sleep wake bearer FIRST_BYTE
    TRIES LONGEST_LINE Link Stream fetchStream webSocket waitKey isHopeless isIdle
    isMore hasNoHeaders expect pause ended lock asked seconds start most calls)

set(here ${CMAKE_CURRENT_LIST_DIR})
file(READ ${here}/tidings.js source)

# Comments, indentation, blank lines.
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" source "${source}")
string(REGEX REPLACE "(\n| )[ \t]*// [^\n]*" "" source "${source}")
string(REGEX REPLACE "\n[ \t\n]+" "\n" source "${source}")
string(REGEX REPLACE "^\n" "" source "${source}")

string(REGEX MATCHALL "'[^'\n]*'" strings "${source}")

# Short names: #a, #b ... for private members, A, B ... for the words above; none
# that is a word of the source already, or a letter of a pattern.
set(letters A B C D E F G H I J K L M N O P Q R S T U V W X Y Z
    a b c d e f g h i j k l m n o p q r s t u v w x y z)
set(short_names ${letters})
foreach(letter IN LISTS letters)
    list(APPEND short_names ${letter}0)
endforeach()
set(free_names ${short_names})
foreach(name IN LISTS short_names)
    if(source MATCHES "[^A-Za-z0-9_$]${name}[^A-Za-z0-9_$]")
        list(REMOVE_ITEM free_names ${name})
    endif()
endforeach()

string(REGEX MATCHALL "#[A-Za-z]+" members "${source}")
list(REMOVE_DUPLICATES members)
set(number 0)
foreach(member IN LISTS members)
    list(GET short_names ${number} short)
    string(REGEX REPLACE "${member}([^A-Za-z])" "#_${short}\\1" source
        "${source}")
    math(EXPR number "${number} + 1")
endforeach()
string(REPLACE "#_" "#" source "${source}")

set(number 0)
foreach(word IN LISTS own_words)
    list(GET free_names ${number} short)
    foreach(pass IN ITEMS once and_those_between)
        string(REGEX REPLACE "([^A-Za-z0-9_$'])${word}([^A-Za-z0-9_$'])"
            "\\1${short}\\2" source "${source}")
    endforeach()
    math(EXPR number "${number} + 1")
endforeach()

# Blanks, and line ends: every statement has its semicolon.
string(REGEX REPLACE " *([][=+*<>?:&|,;{}()!%-]) *" "\\1" source "${source}")
string(REGEX REPLACE "([^A-Za-z0-9_$])\n" "\\1" source "${source}")
string(REGEX REPLACE "\n([^A-Za-z0-9_$])" "\\1" source "${source}")
string(REGEX REPLACE "[;,]}" "}" source "${source}")
string(REGEX REPLACE "(^|[^A-Za-z0-9_$])const([ {[])" "\\1let\\2" source
    "${source}")

string(REGEX MATCHALL "'[^'\n]*'" packed_strings "${source}")
if(NOT packed_strings STREQUAL strings)
    message(FATAL_ERROR "packing would change a string of tidings.js")
endif()

string(REGEX REPLACE "(^|[\n;}])export " "\\1" classic "${source}")
string(CONCAT classic "(() => {'use strict';\n" "${classic}"
    "globalThis.tidings = tidings;\n})();\n")

if(NOT DEFINED TO)
    file(WRITE ${here}/tidings.global.js "${classic}")
    return()
endif()
file(WRITE ${TO}/tidings.js "${source}")
file(WRITE ${TO}/tidings.global.js "${classic}")
configure_file(${here}/tidings.d.ts ${TO}/tidings.d.ts COPYONLY)
