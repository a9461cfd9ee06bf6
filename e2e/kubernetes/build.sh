#!/usr/bin/env bash
# build.sh TARGET...: builds or fetches what the local Kubernetes and its images are made of, into the cache folder.
#   control-plane  etcd, kube-apiserver and kube-controller-manager (enough for tests against an API server)
#   node           the other Kubernetes programs, and kubectl if the machine has none
#   coredns  helm  one program each (helm only if the machine has no version 4)
#   kafka          Kafka's jars          jre  a small Java runtime
#   images         the pause and Kafka images (the operator image: images/operator.sh)
#   all            all of these
# What is up to date is left alone.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

(($#)) || { sed -n '2,8s/^# \?//p' "$0"; exit 1; }

# with_lock NAME FUNCTION ARGUMENTS...: so that two builds at once do not disturb each other.
with_lock() (
  name=$1
  shift
  mkdir -p "$CACHE/locks"
  exec 9>"$CACHE/locks/$name"
  flock -n 9 || { say "waiting for another build of $name"; flock 9; }
  "$@" 9>&-
)
# fresh NAME STAMP FILE: whether FILE was made with these versions.
fresh() { [[ -e $3 && -f $CACHE/stamps/$1 && $(<"$CACHE/stamps/$1") == "$2" ]]; }
stamp() {
  mkdir -p "$CACHE/stamps"
  printf '%s\n' "$2" >"$CACHE/stamps/$1"
}

need_go() {
  command -v go >/dev/null || die "go is missing: install Go 1.21 or newer (https://go.dev/dl), it fetches the exact version itself"
  say "go: $(go env GOVERSION)"
}
# go_program MODULE PACKAGE NAME [LDFLAGS]: a static program from the tool dependencies of tools/MODULE.
go_program() {
  local folder=$HERE/tools/$1 package=$2 name=$3 ldflags="-s -w ${4:-}" key begun=$SECONDS
  key="$ldflags $(cat "$folder/go.mod" "$folder/go.sum" | sha256sum | cut -c1-16)"
  if fresh "$name" "$key" "$BIN/$name"; then
    say "$name is up to date"
    return
  fi
  need_go
  say "building $name"
  mkdir -p "$BIN"
  (cd "$folder" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -ldflags "$ldflags" -o "$BIN/$name.new" "$package") \
    || die "building $name failed"
  mv "$BIN/$name.new" "$BIN/$name"
  stamp "$name" "$key"
  say "built $name in $((SECONDS - begun)) s"
}
kubernetes_program() {
  local version=k8s.io/component-base/version minor=${KUBERNETES_VERSION#v1.}
  go_program kubernetes "k8s.io/kubernetes/cmd/$1" "$1" \
    "-X $version.gitVersion=$KUBERNETES_VERSION -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}"
}
build_control_plane() {
  go_program etcd go.etcd.io/etcd/server/v3 etcd
  kubernetes_program kube-apiserver
  # Tests about what goes with its owner start the garbage collector.
  kubernetes_program kube-controller-manager
}
build_node() {
  local program
  for program in kube-scheduler kubelet kube-proxy; do
    kubernetes_program "$program"
  done
  type -P kubectl >/dev/null || kubernetes_program kubectl
}
build_coredns() { go_program coredns github.com/coredns/coredns coredns; }
build_helm() {
  if helm version --short 2>/dev/null | grep -q '^v4'; then
    say "the machine has helm $(helm version --short)"
  else
    go_program helm helm.sh/helm/v4/cmd/helm helm
  fi
}
fetch_kafka() {
  local libs=$CACHE/kafka/$KAFKA_VERSION/libs pom=$HERE/tools/kafka/pom.xml key log=$CACHE/maven.log begun=$SECONDS
  key="$KAFKA_VERSION $(sha256sum <"$pom" | cut -c1-16)"
  if fresh "kafka-$KAFKA_VERSION" "$key" "$libs"; then
    say "Kafka $KAFKA_VERSION is up to date"
    return
  fi
  need maven mvn
  need default-jdk-headless javac
  install_missing
  say "fetching Kafka $KAFKA_VERSION from Maven Central"
  rm -rf "$libs.part"
  mkdir -p "$libs.part"
  mvn -q -B -f "$pom" -Dkafka.version="$KAFKA_VERSION" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$libs.part" >"$log" 2>&1 || { grep ERROR "$log" | head -3 >&2; die "maven could not fetch Kafka $KAFKA_VERSION (see $log)"; }
  rm -rf "$libs"
  mv "$libs.part" "$libs"
  stamp "kafka-$KAFKA_VERSION" "$key"
  say "fetched $(find "$libs" -name '*.jar' | wc -l) jars in $((SECONDS - begun)) s"
}
# newest_jdk: the home of the newest JDK of the machine that has jlink.
newest_jdk() {
  local home
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [[ -x $home/bin/jlink && -f $home/release && ! -L $home ]] || continue
    printf '%s %s\n' "$(sed -n 's/^JAVA_VERSION="\([0-9.]*\).*/\1/p' "$home/release")" "$home"
  done | sort -V | tail -1 | cut -d' ' -f2
}
build_jre() {
  local jdk key begun=$SECONDS
  # java.desktop has the bean events that Log4j uses; java.instrument and jdk.httpserver are for the JMX exporter, jdk.jcmd for people.
  local modules=java.base,java.compiler,java.desktop,java.instrument,java.logging,java.management,java.management.rmi,java.naming,java.net.http
  modules+=,java.rmi,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.attach,jdk.crypto.ec,jdk.httpserver,jdk.jcmd
  modules+=,jdk.jfr,jdk.management,jdk.management.agent,jdk.naming.dns,jdk.net,jdk.security.auth,jdk.unsupported,jdk.zipfs
  jdk=$(newest_jdk)
  if [[ -z $jdk ]]; then
    need default-jdk-headless /usr/lib/jvm/default-java/bin/jlink
    install_missing
    jdk=$(newest_jdk)
  fi
  [[ -n $jdk ]] || die "no JDK with jlink: install one (Java 17 or newer) or set JAVA_HOME"
  key="$(sed -n 's/^JAVA_RUNTIME_VERSION=//p; s/^JAVA_VERSION=//p' "$jdk/release" | tr '\n' ' ') $modules"
  if fresh jre "$key" "$CACHE/jre/bin/java"; then
    say "the Java runtime is up to date"
    return
  fi
  say "linking a Java runtime out of $jdk"
  rm -rf "$CACHE/jre.part"
  "$jdk/bin/jlink" --add-modules "$modules" --no-header-files --no-man-pages --generate-cds-archive --output "$CACHE/jre.part" \
    >"$CACHE/jlink.log" 2>&1 || { cat "$CACHE/jlink.log" >&2; die "jlink failed"; }
  rm -rf "$CACHE/jre"
  mv "$CACHE/jre.part" "$CACHE/jre"
  stamp jre "$key"
  say "linked a Java runtime of $(du -sm "$CACHE/jre" | cut -f1) MB in $((SECONDS - begun)) s"
}
build_images() {
  local images=$CHECKOUT/images pause=$CACHE/images/pause.tar kafka=$CACHE/images/kafka-$KAFKA_VERSION.tar key begun=$SECONDS
  mkdir -p "$CACHE/images" "$BIN"
  key=$(cat "$images/pause.c" "$images/pause.sh" "$images/archive.sh" | sha256sum | cut -c1-16)
  if fresh pause "$key" "$pause"; then
    say "the pause image is up to date"
  else
    "$images/pause.sh" "$BIN/pause" "$pause"
    stamp pause "$key"
    say "made the pause image"
  fi
  with_lock kafka fetch_kafka
  with_lock jre build_jre
  key="$(cat "$CACHE/stamps/jre" "$CACHE/stamps/kafka-$KAFKA_VERSION" "$images"/{kafka*,archive}.sh | sha256sum | cut -c1-16)"
  if fresh "kafka-image-$KAFKA_VERSION" "$key" "$kafka"; then
    say "the Kafka image is up to date"
    return
  fi
  require_root
  need mmdebstrap mmdebstrap
  install_missing
  begun=$SECONDS
  say "making the Kafka image"
  "$images/kafka.sh" "$KAFKA_VERSION" "$CACHE/kafka/$KAFKA_VERSION/libs" "$CACHE/jre" "$CACHE/debian" "$kafka"
  stamp "kafka-image-$KAFKA_VERSION" "$key"
  say "made the Kafka image ($(du -m "$kafka" | cut -f1) MB) in $((SECONDS - begun)) s"
}

for target; do
  case $target in
    control-plane) with_lock control-plane build_control_plane ;;
    node) with_lock node build_node ;;
    coredns) with_lock coredns build_coredns ;;
    helm) with_lock helm build_helm ;;
    kafka) with_lock kafka fetch_kafka ;;
    jre) with_lock jre build_jre ;;
    images) with_lock images build_images ;;
    all) "$0" kafka control-plane node coredns helm jre images ;;
    *) die "unknown target $target; targets: control-plane node coredns helm kafka jre images all" ;;
  esac
done
