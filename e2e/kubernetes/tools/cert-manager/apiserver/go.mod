// In place of the real module: cert-manager's controllers take one text of it, and it would bring gRPC, CEL and etcd's client.
module k8s.io/apiserver

go 1.26.0
