{{/* Image of the operator, by digest when one is given. */}}
{{- define "kastellan.image" -}}
{{- $parts := compact (list .Values.image.registry .Values.image.repository .Values.image.name) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" (join "/" $parts) .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" (join "/" $parts) (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Value of STRIMZI_NAMESPACE. */}}
{{- define "kastellan.watched" -}}
{{- if .Values.watchAnyNamespace -}}*{{- else -}}
{{- join "," (prepend .Values.watchNamespaces .Release.Namespace | uniq) -}}
{{- end -}}
{{- end -}}

{{- define "kastellan.labels" -}}
app: strimzi
app.kubernetes.io/name: kastellan
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The subject of every binding. */}}
{{- define "kastellan.subject" -}}
- kind: ServiceAccount
  name: {{ .Values.serviceAccount }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
