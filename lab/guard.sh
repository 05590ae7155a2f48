#!/bin/sh
# Takes a lab down whose owner was killed without a chance to do it. Standard input ends when the owner does.
# usage: guard.sh NODE MAIN PREFIX
trap '' INT TERM HUP
read -r _
exec "$1" "$2" down --prefix "$3"
