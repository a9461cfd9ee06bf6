#!/usr/bin/env bash
# Installs what compiling needs and a new machine may lack. The Makefile runs it before it compiles.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/kubernetes/lib.sh"

need build-essential cc make
need pkg-config pkg-config
need libssl-dev "/usr/lib/$(uname -m)-linux-gnu/libssl.a"
need shellcheck shellcheck
need ca-certificates /etc/ssl/certs/ca-certificates.crt
install_missing
command -v cargo >/dev/null || die "cargo is missing: install Rust with rustup (https://rustup.rs)"
