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
# beside one of the signs below or a comment's begin in it; `#name` is a private member and nothing else. The
# tests run what comes out of it.

cmake_minimum_required(VERSION 3.20)

# Words of the source that no browser, no page and no server knows, and that stand
# in no string (alone in one they may).
set(own_words
    SECOND MINUTE LONGEST_WAIT FIRST_BYTE TRIES BETTER QUEUE LONGEST_LINE GAP
    TRANSPORTS AS_OBJECTS Link Stream
    isAfter failure timersOf timeOf fetchStream socketOf webSocket waitKey eventOf
    isSilent isAll isRefusal isHopeless isEarly isOurs isIdle isMore isWhole
    hasNoHeaders silence watch heard expect reached retry clean resume pause
    lasted ended kept spread socket names address sleep lock options
    link resolve reject query list error object response url left
    queue events wake asked seconds mode)

set(here ${CMAKE_CURRENT_LIST_DIR})
file(READ ${here}/tidings.js source)

# Comments, indentation, blank lines.
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" source "${source}")
string(REGEX REPLACE "(\n| )[ \t]*// [^\n]*" "" source "${source}")
string(REGEX REPLACE "\n[ \t\n]+" "\n" source "${source}")
string(REGEX REPLACE "^\n" "" source "${source}")

# Short names: #a, #b ... for private members, $a, $b ... for the words above.
set(letters a b c d e f g h i j k l m n o p q r s t u v w x y z
    A B C D E F G H I J K L M N O P Q R S T U V W X Y Z)
set(short_names ${letters})
foreach(letter IN LISTS letters)
    list(APPEND short_names ${letter}0)
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
    list(GET short_names ${number} short)
    foreach(pass IN ITEMS once and_those_between)
        string(REGEX REPLACE "([^A-Za-z0-9_$'])${word}([^A-Za-z0-9_$'])"
            "\\1$${short}\\2" source "${source}")
    endforeach()
    math(EXPR number "${number} + 1")
endforeach()

# Blanks, and line ends: every statement has its semicolon.
string(REGEX REPLACE " *([][=+*<>?:&|,;{}()!%-]) *" "\\1" source "${source}")
string(REGEX REPLACE "([^A-Za-z0-9_$])\n" "\\1" source "${source}")
string(REGEX REPLACE "\n([^A-Za-z0-9_$])" "\\1" source "${source}")

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
