package graph

// DirectoryRole is a directory role in use. https://learn.microsoft.com/graph/api/resources/directoryrole
type DirectoryRole struct {
	ID             string `json:"id,omitempty"`
	DisplayName    string `json:"displayName,omitempty"`
	RoleTemplateID string `json:"roleTemplateId,omitempty"` // the same in every tenant
}
