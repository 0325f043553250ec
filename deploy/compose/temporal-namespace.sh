#!/bin/sh
# One shot, after the Temporal server: our namespace and search attributes. Safe to repeat.
set -eu
until temporal operator cluster health; do
    sleep 2
done
if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE"; then
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
fi
# The cache that tells a new namespace from an unknown one is refreshed every few seconds.
until temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE"; do
    sleep 2
done
known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
for attribute in JobKind:Keyword JobStep:Keyword CreatorId:Keyword MediaId:Keyword \
    NeedsAttention:Bool; do
    name=${attribute%:*}
    if ! echo "$known" | grep -qw "$name"; then
        temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
            --name "$name" --type "${attribute#*:}"
    fi
done
